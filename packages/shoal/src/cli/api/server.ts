/**
 * The control endpoint: HTTP on the loopback interface, behind a token.
 *
 * I1 Every path but `/v1/health` needs the token; no request is looked at further before host, origin and token are.
 * I2 GET changes nothing; what changes something is POST with a JSON body.
 * I3 Requests, bodies and connections are bounded.
 */
import { STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { z } from 'zod';
import { type Decision, renderDecision } from '../../controller/index.ts';
import { isName, ShoalError, suggest } from '../../model/index.ts';
import { type ControlSource, orderCountMax, type PersonOrder, recentDecisionsMax } from './control-source.ts';
import { type Refusal, refusalOf } from './guard.ts';
import { createMetrics } from './metrics.ts';

/** Bytes of the largest request body. */
export const bodyMaxBytes = 16_384;
/** Connections at a time. */
export const connectionsMax = 64;
/** Characters of the longest name of a type or an instance in a path. */
const nameParameterMaxCharacters = 128;
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
/** The type is checked where it is given: whoever means `regex#1` must not remove `io#1`. */
const namedInstance = { instanceId: instanceIdSchema, msu: nameSchema.optional() };
const orderSchemas = {
  clone: z.strictObject({ msu: nameSchema, count: z.int().min(1).max(orderCountMax).default(1) }),
  remove: z.strictObject(namedInstance),
  reassign: z.strictObject({ ...namedInstance, machine: nameSchema, process: nameSchema }),
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
  const [, msu, id] = /^(?:([A-Za-z][A-Za-z0-9-]*)#)?(\d{1,16})$/.exec(name) ?? [];
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
  const { msu, instanceId } = order;
  const unknown = unknownName(source, msu === undefined ? String(instanceId) : `${msu}#${instanceId}`);
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

function pathError({ code, statusCode = 500 }: FastifyError): { status: number; message: string } {
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') {
    return { status: 414, message: `A name has at most ${nameParameterMaxCharacters} characters.` };
  }
  if (code === 'FST_ERR_BAD_URL') return { status: 400, message: 'The path is not understood.' };
  return { status: statusCode, message: 'The request failed inside of Shoal.' };
}

/** Answers what is not even a request, in the form of every other error. */
function refuseWhatIsNotHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const isTooLong = error.code === 'HPE_HEADER_OVERFLOW';
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = isTooLong ? 431 : isLate ? 408 : 400;
  const message = isTooLong ? 'The headers are too long.' : 'This is not an HTTP request.';
  const body = JSON.stringify({
    error: { message: isLate ? 'The request took too long to come.' : message },
  });
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`${head}\r\n\r\n${body}`);
}

/** Starts the endpoint on 127.0.0.1. Throws `SHOAL_CONTROL` if the port cannot be had. */
export async function startControlEndpoint(options: ControlEndpointOptions): Promise<ControlEndpoint> {
  const { source, token } = options;
  let port = 0;
  /** Why a request is refused before anything else of it is looked at; null if it is not. */
  const refusal = (request: FastifyRequest): Refusal | null => {
    const { host, origin, authorization } = request.headers;
    const needsToken = request.method !== 'GET' || request.url !== '/v1/health';
    return refusalOf({ host, origin, authorization }, port, needsToken ? token : null);
  };
  const app = fastify({
    bodyLimit: bodyMaxBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: nameParameterMaxCharacters },
    // A path that cannot be decoded, or a name that is too long, comes here and meets no hook.
    frameworkErrors: (error, request, reply) => {
      const { status, message } = refusal(request) ?? pathError(error);
      sendError(reply, status, message);
    },
    clientErrorHandler: refuseWhatIsNotHttp,
  });
  app.server.maxConnections = connectionsMax;
  app.addHook('onRequest', async (request, reply) => {
    const refused = refusal(request);
    if (refused !== null) return sendError(reply, refused.status, refused.message);
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
