/**
 * The calls of an isolated function that are in progress. Each settles once: by its reply, or when the function has
 * ended, whatever became of the threads behind it.
 */
import { defaultLimits, type FailureReason, type Reply, ShoalError } from '../model/index.ts';
import { type CallResult, errorOf } from './call-result.ts';
import type { CallPort } from './isolate-app.ts';
import type { ResolvedIsolateOptions } from './options.ts';

/** What keeps the program alive while calls are in progress. */
interface KeepAlive {
  ref(): void;
  unref(): void;
}

/** What one call, and one result, may take. */
const messageMax = `${defaultLimits.messageMaxBytes / 1_024} KiB`;

type Reject = (error: Error) => void;

export class Calls {
  readonly #port: CallPort;
  readonly #options: ResolvedIsolateOptions;
  readonly #keepAlive: KeepAlive;
  readonly #inProgress = new Set<Reject>();
  /** Set when no call can be made any more. */
  #end: { readonly reason: string; readonly why: string } | null = null;

  constructor(port: CallPort, options: ResolvedIsolateOptions, keepAlive: KeepAlive) {
    this.#port = port;
    this.#options = options;
    this.#keepAlive = keepAlive;
  }

  make(args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) return reject(this.#failed(this.#end.reason, this.#end.why));
      // A program that waits for a call must not end meanwhile.
      if (this.#inProgress.size === 0) this.#keepAlive.ref();
      this.#inProgress.add(reject);
      try {
        this.#port.ask(args, (reply) => {
          if (this.#finish(reject)) this.#settle(reply, resolve, reject);
        });
      } catch (error) {
        this.#finish(reject);
        reject(this.#badArguments((error as Error).message, error));
      }
    });
  }

  /** Rejects what is in progress and every call from now on. Only the first end counts. */
  end(reason: string, why: string): void {
    if (this.#end !== null) return;
    this.#end = { reason, why };
    for (const reject of [...this.#inProgress]) {
      this.#finish(reject);
      reject(this.#failed(reason, why));
    }
  }

  /** False where the call has been settled already. */
  #finish(reject: Reject): boolean {
    if (!this.#inProgress.delete(reject)) return false;
    if (this.#inProgress.size === 0) this.#keepAlive.unref();
    return true;
  }

  #settle(reply: Reply<CallResult>, resolve: (value: unknown) => void, reject: Reject): void {
    switch (reply.outcome) {
      case 'done': {
        const [value, thrown] = reply.value;
        if (thrown === undefined) return resolve(value);
        const cause = errorOf(thrown);
        return reject(this.#failed('handler-error', `${thrown.name}: ${thrown.message}`, cause));
      }
      case 'refused':
        if (reply.reason === 'too-large') {
          return reject(this.#badArguments(`they take more than ${messageMax}: pass less, or in parts`));
        }
        return reject(this.#overloaded(reply));
      case 'shed':
        return reject(this.#overloaded(reply));
      case 'failed':
        return reject(this.#failed(reply.reason, this.#whyFailed(reply.reason, reply.detail)));
      case 'timeout':
        return reject(this.#failed('timeout', `it did not answer within ${this.#options.timeoutMs} ms`));
    }
  }

  #whyFailed(reason: FailureReason, detail: string): string {
    switch (reason) {
      case 'run-limit':
        return `it ran longer than ${this.#options.runLimitMs} ms`;
      case 'reply-lost':
        return `its result cannot be carried back (at most ${messageMax}): ${detail}`;
      default:
        return detail;
    }
  }

  #overloaded(reply: { readonly outcome: string; readonly reason: string }): ShoalError {
    const { export: name } = this.#options;
    const text = `'${name}' is overloaded: the call was ${reply.outcome} (${reply.reason}).`;
    return new ShoalError('SHOAL_OVERLOADED', text, { function: name, ...reply });
  }

  #failed(reason: string, why: string, cause?: Error): ShoalError {
    const { export: name } = this.#options;
    const text = `'${name}' failed (${reason})${why === '' ? '' : `: ${why}`}`;
    return new ShoalError('SHOAL_CALL_FAILED', text, { function: name, reason }, cause);
  }

  #badArguments(why: string, cause?: unknown): ShoalError {
    const { export: name } = this.#options;
    const text = `The arguments of '${name}' cannot be carried to its thread: ${why}`;
    return new ShoalError('SHOAL_BAD_CALL', text, { function: name }, cause);
  }
}
