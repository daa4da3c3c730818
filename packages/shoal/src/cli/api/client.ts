/** Talks to the control endpoint of a running app. */
import { request } from 'node:http';
import { z } from 'zod';
import { ShoalError } from '../../model/index.ts';
import type { RunFile } from '../run-directory.ts';
import type { ControlSnapshot, DecisionWithText } from './control-source.ts';

/** Milliseconds for one answer. Orders wait for their end, so they may take longer. */
const answerMaxMs = 5_000;
const orderMaxMs = 120_000;
/** Characters of the longest answer: far more than the view of as many instances as there may be. */
const answerMaxCharacters = 64 * 1_048_576;

export interface ControlClient {
  /** `signal`: gives up the question. */
  snapshot(signal?: AbortSignal): Promise<ControlSnapshot>;
  decisions(): Promise<readonly DecisionWithText[]>;
  explain(name: string): Promise<string>;
  order(operator: 'clone' | 'remove' | 'reassign', body: object): Promise<DecisionWithText>;
}

/** So much of each answer is looked at before it is used: enough to know that it comes from an app of this version. */
const decisionForm = z.looseObject({ text: z.string(), outcome: z.string(), atMs: z.number() });
const list = z.array(z.looseObject({}));
const answerForms = {
  snapshot: z.looseObject({
    view: z.looseObject({ app: z.string(), types: list, processes: list, machines: list }),
    sojourn: z.looseObject({}),
    recentDecisions: z.array(decisionForm),
  }),
  decisions: z.looseObject({ decisions: z.array(decisionForm) }),
  explain: z.looseObject({ text: z.string() }),
  order: z.looseObject({ decision: decisionForm }),
  failure: z.looseObject({ error: z.looseObject({ message: z.string() }) }),
} as const;

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  readonly maxMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** With `node:http`, because `fetch` refuses to talk to some ports at which an app may well listen, such as 6667. */
function ask(run: RunFile, { method, path, body, maxMs, signal }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(maxMs);
    const asked = request(
      {
        host: '127.0.0.1',
        port: run.port,
        method,
        path,
        headers: { authorization: `Bearer ${run.token}`, 'content-type': 'application/json' },
        agent: false,
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          if (text.length > answerMaxCharacters) response.destroy(new Error('the answer has no end'));
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    asked.on('error', (error) => reject(timeout.aborted ? new Error(`no answer in ${maxMs} ms`) : error));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** All calls throw `SHOAL_CONTROL` if the app cannot be reached, or answers with an error or what is no answer. */
export function createControlClient(run: RunFile): ControlClient {
  const origin = `http://127.0.0.1:${run.port}`;
  const who = `App "${run.app}" (process ${run.pid})`;
  const facts = { app: run.app, port: run.port };

  /** The answer, if it has the form. `T` is what such an answer holds beyond what the form looks at. */
  async function call<T>(form: z.ZodType, question: Question): Promise<T> {
    let answer: Answer;
    try {
      answer = await ask(run, question);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const text = `${who} does not answer on ${origin} (${code ?? message}).`;
      throw new ShoalError('SHOAL_CONTROL', text, facts, error);
    }
    const { status, text } = answer;
    const body = parse(text);
    if (form.safeParse(body).success) return body as T;
    const failure = answerForms.failure.safeParse(body);
    if (failure.success)
      throw new ShoalError('SHOAL_CONTROL', failure.data.error.message, { ...facts, status });
    const what = `answers ${question.path} with what is not understood (status ${status}, ${text.length} characters)`;
    const mend = 'Is it of another version, or another program on its port?';
    throw new ShoalError('SHOAL_CONTROL', `${who} on ${origin} ${what}. ${mend}`, { ...facts, status });
  }

  const get = (path: string, signal?: AbortSignal): Question => ({
    method: 'GET',
    path,
    maxMs: answerMaxMs,
    signal,
  });
  return {
    snapshot: (signal) => call(answerForms.snapshot, get('/v1/view', signal)),
    async decisions() {
      type Decisions = { readonly decisions: readonly DecisionWithText[] };
      return (await call<Decisions>(answerForms.decisions, get('/v1/decisions'))).decisions;
    },
    async explain(name) {
      const path = `/v1/explain/${encodeURIComponent(name)}`;
      return (await call<{ readonly text: string }>(answerForms.explain, get(path))).text;
    },
    async order(operator, body) {
      const question: Question = { method: 'POST', path: `/v1/${operator}`, body, maxMs: orderMaxMs };
      return (await call<{ readonly decision: DecisionWithText }>(answerForms.order, question)).decision;
    },
  };
}
