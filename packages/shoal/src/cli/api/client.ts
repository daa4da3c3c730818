/** Talks to the control endpoint of a running app. */
import { ShoalError } from '../../model/index.ts';
import type { RunFile } from '../run-directory.ts';
import type { ControlSnapshot, DecisionWithText } from './control-source.ts';

/** Milliseconds for one answer. Orders wait for their end, so they may take longer. */
const answerMaxMs = 5_000;
const orderMaxMs = 120_000;

export interface ControlClient {
  snapshot(): Promise<ControlSnapshot>;
  decisions(): Promise<readonly DecisionWithText[]>;
  explain(name: string): Promise<string>;
  order(operator: 'clone' | 'remove' | 'reassign', body: object): Promise<DecisionWithText>;
}

/** All calls throw `SHOAL_CONTROL` if the app cannot be reached, or answers with an error. */
export function createControlClient(run: RunFile): ControlClient {
  const origin = `http://127.0.0.1:${run.port}`;
  async function call(
    path: string,
    init: RequestInit,
    maxMs: number,
  ): Promise<{ status: number; body: unknown }> {
    let response: Response;
    try {
      const headers = { authorization: `Bearer ${run.token}`, 'content-type': 'application/json' };
      response = await fetch(`${origin}${path}`, { ...init, headers, signal: AbortSignal.timeout(maxMs) });
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
      const text = `App "${run.app}" (process ${run.pid}) does not answer on ${origin} (${cause}).`;
      throw new ShoalError('SHOAL_CONTROL', text, { app: run.app, port: run.port }, error);
    }
    const body: unknown = await response.json().catch(() => null);
    return { status: response.status, body };
  }
  function failure(status: number, body: unknown): ShoalError {
    const message = (body as { error?: { message?: string } } | null)?.error?.message ?? `status ${status}`;
    return new ShoalError('SHOAL_CONTROL', message, { status });
  }
  async function get<T>(path: string): Promise<T> {
    const { status, body } = await call(path, { method: 'GET' }, answerMaxMs);
    if (status !== 200) throw failure(status, body);
    return body as T;
  }
  return {
    snapshot: () => get<ControlSnapshot>('/v1/view'),
    decisions: async () => (await get<{ decisions: DecisionWithText[] }>('/v1/decisions')).decisions,
    explain: async (name) => (await get<{ text: string }>(`/v1/explain/${encodeURIComponent(name)}`)).text,
    async order(operator, body) {
      const init = { method: 'POST', body: JSON.stringify(body) };
      const answer = await call(`/v1/${operator}`, init, orderMaxMs);
      const decision = (answer.body as { decision?: DecisionWithText } | null)?.decision;
      if (decision === undefined) throw failure(answer.status, answer.body);
      return decision;
    },
  };
}
