/** The agent's handle on one MSU thread: starts its worker, asks it things, notices when it dies. */
import { isMainThread, type MessagePort, Worker } from 'node:worker_threads';
import {
  type AppGraph,
  type InstanceId,
  type Limits,
  parseStackPlace,
  type SchedulingOrder,
  type ThreadId,
} from '../model/index.ts';
import { isParked, offerPipe, type Pipes, ring, shunFutex, Waits, withdrawPipe } from './bell.ts';
import type { Pipe } from './native/index.ts';
import { endWorker } from './node-faults.ts';
import {
  createThreadBlock,
  type ThreadBlock,
  ThreadFloat,
  ThreadWord,
  viewThreadBlock,
} from './shared-block.ts';
import type { HostOrigin, ThreadReport, ThreadRequestBody, ThreadStart } from './thread-messages.ts';
import { maxYoungGenerationSizeMb } from './young-generation.ts';

/** The entry of a thread, from source or from dist, whichever this file is. */
const entry = new URL(
  import.meta.url.endsWith('.ts') ? './thread-main.ts' : './thread-main.js',
  import.meta.url,
);

export type ThreadAnswer =
  | { readonly isOk: true; readonly hasErrorHandler: boolean }
  | { readonly isOk: false; readonly detail: string };

export interface AgentThreadOptions {
  readonly threadId: ThreadId;
  readonly name: string;
  readonly appUrl: string;
  readonly graph: AppGraph;
  readonly limits: Limits;
  readonly core: number;
  /** OS niceness from when it keeps a core: until then it yields to nobody. */
  readonly nice: number;
  readonly scheduling: SchedulingOrder;
  readonly printsTo: 'stdout' | 'stderr';
  readonly seed: number;
  readonly messageBlocks: SharedArrayBuffer;
  /** Present for a thread that the agent did not start and cannot end: that of a program that uses Shoal as a library. */
  readonly guest?: GuestLink;
}

/** A thread of somebody else's, and the way to it. */
export interface GuestLink {
  readonly port: MessagePort;
  readonly block: SharedArrayBuffer;
}

/** How a worker ended. */
export interface ThreadEnd {
  readonly exitCode: number;
  /** What it threw, if that is why. */
  readonly error: Error | null;
}

/** What a thread died of, in one line, with the place in its own code where there is one. */
export function describeThrown(error: Error): string {
  const place = parseStackPlace(error.stack ?? '');
  const where = place === null ? '' : ` (${place.file}:${place.line}:${place.column})`;
  return `${error.name}: ${error.message.split('\n')[0]}${where}`;
}

export class AgentThread {
  readonly options: AgentThreadOptions;
  readonly block: ThreadBlock;
  /** In the order in which they were placed. */
  readonly instances: Set<InstanceId> = new Set();
  phase: 'starting' | 'spare' | 'serving' | 'lost' = 'starting';
  /** OS niceness, of its replacements too. */
  nice = 0;
  restarts = 0;
  generation = -1;
  startedAtMs = 0;
  /** The instance whose event ran over its limit, where that is the reason. */
  culprit: InstanceId | null = null;
  /** Settled when the worker has loaded the app, or has ended. */
  started: Promise<void> = Promise.resolve();
  /** When it was first rung since it last went through its loop. */
  unansweredSinceMs = 0;
  /** Instances that are being created there: user code that may take its time. */
  hosting = 0;
  /** Settled while no replacement is under way. */
  replacing: Promise<void> = Promise.resolve();
  /** Why the agent is ending it; null: it is not. */
  killReason: HostOrigin | 'stop' | null = null;
  #worker: Worker | MessagePort | null = null;
  #requests = 0;
  readonly #pipes: Pipes;
  #pipe: Pipe | null;
  readonly #waiting = new Map<number, (answer: ThreadAnswer) => void>();

  constructor(options: AgentThreadOptions, pipes: Pipes) {
    this.options = options;
    this.#pipes = pipes;
    this.block = viewThreadBlock(options.guest?.block ?? createThreadBlock());
    this.#pipe = options.guest === undefined ? pipes.take() : null;
  }

  get id(): ThreadId {
    return this.options.threadId;
  }

  /** Starts a worker, the first or a replacement. Resolves when it has loaded the app. */
  start(
    nowMs: number,
    onReport: (report: ThreadReport) => void,
    onEnd: (end: ThreadEnd) => void,
  ): Promise<void> {
    this.generation++;
    this.killReason = null;
    this.culprit = null;
    this.phase = 'starting';
    this.startedAtMs = nowMs;
    const { guest } = this.options;
    const worker = guest === undefined ? this.#startWorker() : guest.port;
    this.#worker = worker;
    let error: Error | null = null;
    this.started = new Promise((resolve) => {
      worker.on('message', (report: ThreadReport) => {
        if (report.kind === 'ready') resolve();
        else if (report.kind === 'answer') this.#answered(report);
        else onReport(report);
      });
      worker.on('error', (thrown: unknown) => {
        error = thrown instanceof Error ? thrown : new Error(String(thrown));
      });
      worker.once(guest === undefined ? 'exit' : 'close', (exitCode: number) => {
        this.#worker = null;
        this.phase = 'lost';
        if (guest === undefined) withdrawPipe(this.block.words);
        const detail = error === null ? 'the thread ended' : `the thread died of ${describeThrown(error)}`;
        for (const answer of this.#waiting.values()) answer({ isOk: false, detail });
        this.#waiting.clear();
        resolve();
        onEnd({ exitCode: exitCode ?? 0, error });
      });
      if (guest !== undefined) resolve();
    });
    return this.started;
  }

  #startWorker(): Worker {
    const { threadId, name, appUrl, graph, limits, core, scheduling, seed, messageBlocks, printsTo } =
      this.options;
    Atomics.store(this.block.words, ThreadWord.waits, Waits.not);
    // Whoever is itself a worker is ended without a word, and then could not have its threads give up their waits.
    Atomics.store(this.block.words, ThreadWord.shunsFutex, isMainThread ? 0 : 1);
    offerPipe(this.block.words, this.#pipe);
    const workerData: ThreadStart = {
      threadId,
      name,
      appUrl,
      graph,
      limits,
      block: this.block.buffer,
      core,
      nice: this.nice,
      scheduling,
      messageBlocks,
      seed: seed + this.generation,
    };
    const worker = new Worker(entry, {
      workerData,
      stdout: printsTo === 'stderr',
      name: `shoal-${name}`,
      ...(limits.threadHeapMaxMiB > 0
        ? {
            resourceLimits: { maxOldGenerationSizeMb: limits.threadHeapMaxMiB, maxYoungGenerationSizeMb },
          }
        : {}),
    });
    if (printsTo === 'stderr') {
      // Not by a pipe: one for each thread would add its listeners to the stream that all of them share.
      worker.stdout.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    }
    return worker;
  }

  #answered(report: Extract<ThreadReport, { kind: 'answer' }>): void {
    const resolve = this.#waiting.get(report.requestId);
    this.#waiting.delete(report.requestId);
    resolve?.(
      report.isOk
        ? { isOk: true, hasErrorHandler: report.hasErrorHandler }
        : { isOk: false, detail: report.detail },
    );
  }

  /** Asks the thread to do something. Never rejects. */
  ask(body: ThreadRequestBody): Promise<ThreadAnswer> {
    const worker = this.#worker;
    if (worker === null) return Promise.resolve({ isOk: false, detail: 'the thread is not running' });
    const requestId = ++this.#requests;
    const answered = new Promise<ThreadAnswer>((resolve) => this.#waiting.set(requestId, resolve));
    worker.postMessage({ requestId, body });
    Atomics.add(this.block.words, ThreadWord.control, 1);
    this.ring();
    return answered;
  }

  /** Whether it has gone through its loop since it was rung. */
  get hasBeaten(): boolean {
    return (this.block.floats[ThreadFloat.beatAt] as number) >= this.unansweredSinceMs;
  }

  /** Whether it waits on its bell, running no code: it need not be rung to know that it lives. */
  get isParked(): boolean {
    return isParked(this.block.words);
  }

  /** Wakes the thread. */
  ring(): void {
    ring(this.block.words);
  }

  /** Has it wait in no way that keeps it from ending, as at the end of the process. */
  letEnd(): void {
    shunFutex(this.block.words);
  }

  /** Ends the worker; resolves when it is gone, which in a tight native loop may take long. */
  async terminate(): Promise<void> {
    this.letEnd();
    if (this.#worker instanceof Worker) await endWorker(this.#worker);
    else this.#worker?.close();
  }

  /** Ends a thread that has nothing left to do. */
  async end(): Promise<void> {
    await this.terminate();
    this.forget();
  }

  /** It has ended, and is not started again. */
  forget(): void {
    if (this.#pipe !== null) this.#pipes.giveBack(this.#pipe);
    this.#pipe = null;
  }

  get isRunning(): boolean {
    return this.#worker !== null;
  }
}
