/**
 * The control endpoint: HTTP on the loopback interface, behind a token.
 *
 * I1 Every path but `/v1/health` needs the token; no request is looked at further before host, origin and token are.
 * I2 GET changes nothing; what changes something is POST with a JSON body.
 * I3 Requests, bodies and connections are bounded.
 */
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { z } from 'zod';
import { type Decision, renderDecision } from '../../controller/index.ts';
import { isName, ShoalError, suggest } from '../../model/index.ts';
import { type ControlSource, orderCountMax, type PersonOrder, recentDecisionsMax } from './control-source.ts';
import { refusalOf } from './guard.ts';
import { createMetrics } from './metrics.ts';

/** Bytes of the largest request body. */
export const bodyMaxBytes = 16_384;
/** Connections at a time. */
export const connectionsMax = 64;
const requestTimeoutMs = 5_000;
const keepAliveTimeoutMs = 5_000;

export interface ControlEndpointOptions {
  readonly source: ControlSource;
  readonly token: string;
  /** Port on 127.0.0.1. Default 0: one that is free. */
  readonly port?: number;
}

/** A control endpoint that listens. */
export interface ControlEndpoint extends AsyncDisposable {
  readonly port: number;
  close(): Promise<void>;
}

const instanceIdSchema = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
const nameSchema = z.string().refine(isName, 'letters, digits and "-"');
const orderSchemas = {
  clone: z.strictObject({ msu: nameSchema, count: z.int().min(1).max(orderCountMax).default(1) }),
  remove: z.strictObject({ instanceId: instanceIdSchema }),
  reassign: z.strictObject({ instanceId: instanceIdSchema, machine: nameSchema, process: nameSchema }),
} as const;

function sendError(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).send({ error: { message } });
}

/** The type of an instance, or undefined if there is none of this id. */
function typeOfInstance(source: ControlSource, instanceId: number): string | undefined {
  return source.view().types.find((type) => type.instances.some((i) => i.instanceId === instanceId))?.msu;
}

/** Why a name stands for nothing that runs; null if it stands for something. */
function unknownName(source: ControlSource, name: string): string | null {
  const types = source.view().types.map((type) => type.msu);
  const [, msu, id] = /^(?:([A-Za-z][A-Za-z0-9-]*)#)?(\d{1,15})$/.exec(name) ?? [];
  if (id !== undefined) {
    const found = typeOfInstance(source, Number(id));
    if (found === undefined) return `There is no instance ${id}.`;
    return msu === undefined || msu === found ? null : `Instance ${id} is of type "${found}".`;
  }
  if (types.includes(name)) return null;
  const hint = suggest(name, types, `There are ${types.length} types`);
  return `There is no type ${JSON.stringify(name.slice(0, 64))}. ${hint}${hint.endsWith('?') ? '' : '.'}`;
}

function unknownInOrder(source: ControlSource, order: PersonOrder): string | null {
  if (order.operator === 'clone') return unknownName(source, order.msu);
  const unknown = unknownName(source, String(order.instanceId));
  if (unknown !== null || order.operator === 'remove') return unknown;
  const { machine, process } = order;
  const exists = source.view().processes.some((p) => p.machine === machine && p.process === process);
  return exists ? null : `There is no process "${process}" on machine "${machine}".`;
}

function addReads(app: FastifyInstance, source: ControlSource): void {
  const withText = (decision: Decision): object => ({
    ...decision,
    text: renderDecision(decision),
  });
  app.get('/v1/view', () => ({
    view: source.view(),
    sojourn: source.sojourn(),
    recentDecisions: source.decisions().slice(-recentDecisionsMax).map(withText),
  }));
  app.get('/v1/decisions', () => ({ decisions: source.decisions().map(withText) }));
  app.get<{ Params: { name: string } }>('/v1/explain/:name', (request, reply) => {
    const { name } = request.params;
    const unknown = unknownName(source, name);
    if (unknown !== null) return sendError(reply, 404, unknown);
    return reply.send({ name, text: source.explain(name) });
  });
  const metrics = createMetrics(source);
  app.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.metrics());
  });
}

function addOrders(app: FastifyInstance, source: ControlSource): void {
  for (const operator of ['clone', 'remove', 'reassign'] as const) {
    app.post(`/v1/${operator}`, async (request, reply) => {
      const body = orderSchemas[operator].safeParse(request.body);
      if (!body.success) {
        const wrong = body.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
        return sendError(reply, 400, `The order is not understood: ${wrong.join('; ')}.`);
      }
      const order = { operator, ...body.data } as PersonOrder;
      const unknown = unknownInOrder(source, order);
      if (unknown !== null) return sendError(reply, 404, unknown);
      const decision = await source.operate(order);
      const isCarriedOut = decision.outcome === 'done' || decision.outcome === 'partly';
      const text = renderDecision(decision);
      return reply.code(isCarriedOut ? 200 : 409).send({ decision: { ...decision, text } });
    });
  }
}

/** Starts the endpoint on 127.0.0.1. Throws `SHOAL_CONTROL` if the port cannot be had. */
export async function startControlEndpoint(options: ControlEndpointOptions): Promise<ControlEndpoint> {
  const { source, token } = options;
  const app = fastify({
    bodyLimit: bodyMaxBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 128 },
  });
  app.server.maxConnections = connectionsMax;
  let port = 0;
  app.addHook('onRequest', async (request, reply) => {
    const { host, origin, authorization } = request.headers;
    const needsToken = request.method !== 'GET' || request.url !== '/v1/health';
    const refusal = refusalOf({ host, origin, authorization }, port, needsToken ? token : null);
    if (refusal !== null) return sendError(reply, refusal.status, refusal.message);
    return undefined;
  });
  // Only JSON: what a page can post without asking first (text, forms) is refused by its type.
  app.removeContentTypeParser('text/plain');
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, 'There is nothing here.'));
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    return sendError(reply, status, status < 500 ? error.message : 'The request failed inside of Shoal.');
  });
  app.get('/v1/health', () => ({ status: 'serving' }));
  addReads(app, source);
  addOrders(app, source);
  try {
    await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new ShoalError('SHOAL_CONTROL', `The control endpoint could not listen: ${text}`, {}, error);
  }
  port = (app.server.address() as AddressInfo).port;
  const close = (): Promise<void> => app.close();
  return { port, close, [Symbol.asyncDispose]: close };
}
