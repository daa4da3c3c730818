/**
 * Finds and ends threads that run away. (A message that is only awaited too long blocks nothing: its instance ends it.) One that does not end although it has had `terminateMaxMs` can only be ended
 * with its process: then `onFatal` is called, and the supervisor starts another. Where the whole process has stood still,
 * limits begin anew.
 */
import type { AgentInstance } from './agent-instance.ts';
import type { AgentState } from './agent-state.ts';
import type { AgentThread } from './agent-thread.ts';
import { EndingAllowance, terminateMaxMs } from './ending-allowance.ts';
import { openThreadReader } from './procfs/index.ts';
import { InstanceFloat, ThreadFloat, ThreadWord } from './shared-block.ts';

/** Between two looks at whether it has ended. */
const endingLookMs = 25;
/** Beyond its run limits, a thread may be this late in going through its loop before it counts as stuck. */
const beatGraceMs = 150;
/** `create()` of a type may keep its thread this long, whatever the run limits there. */
const createMaxMs = 10_000;

export class AgentWatch {
  readonly #state: AgentState;

  constructor(state: AgentState) {
    this.#state = state;
  }

  /** Whether code on the thread has a run limit. */
  watches(thread: AgentThread): boolean {
    return this.#leastLimited(thread) !== null;
  }

  /** The instance on the thread with the least run limit; null: none has one. Asked in every beat: it makes no garbage. */
  #leastLimited(thread: AgentThread): AgentInstance | null {
    let least: AgentInstance | null = null;
    for (const id of thread.instances) {
      const instance = this.#state.instances.get(id);
      if (instance === undefined || instance.msu.runLimitMs === 0) continue;
      if (least === null || instance.msu.runLimitMs < least.msu.runLimitMs) least = instance;
    }
    return least;
  }

  /**
   * Kills threads whose event runs over its limit, or that do not go through their loop. `now` is the beat's: were the
   * clock read anew, a process that is stopped within the beat would have its handlers overrun before it is known.
   */
  findRunaways(now: number): void {
    const { resumedAtMs } = this.#state;
    for (const thread of this.#state.threads.values()) {
      if (!thread.isRunning || thread.phase !== 'serving' || thread.killReason !== null) continue;
      let isInHandler = false;
      for (const id of thread.instances) {
        const instance = this.#state.instances.get(id);
        // Read once: the thread goes on meanwhile.
        const since = instance?.stats[InstanceFloat.runningSince] ?? 0;
        if (instance === undefined || since === 0) continue;
        isInHandler = true;
        const limit = instance.msu.runLimitMs;
        const ranMs = now - Math.max(since, resumedAtMs);
        if (limit > 0 && ranMs > limit) this.#kill(thread, instance, ranMs);
      }
      if (isInHandler) continue;
      const stuck = this.#findStuck(thread, now);
      if (stuck !== null)
        this.#kill(thread, stuck, now - (thread.block.floats[ThreadFloat.beatAt] as number));
    }
  }

  /** Code outside of events (continuations, socket callbacks) shows only by the thread's loop standing still. */
  #findStuck(thread: AgentThread, now: number): AgentInstance | null {
    // A thread that nobody has rung is at rest, not stuck, however late the agent itself is.
    if (thread.hasBeaten) return null;
    const least = this.#leastLimited(thread);
    if (least === null) return null;
    const { resumedAtMs } = this.#state;
    const silentSince = Math.max(thread.unansweredSinceMs, thread.startedAtMs + beatGraceMs, resumedAtMs);
    if (thread.hosting > 0 && now - silentSince < createMaxMs) return null;
    return now - silentSince > least.msu.runLimitMs + beatGraceMs ? least : null;
  }

  #kill(thread: AgentThread, instance: AgentInstance, ranMs: number): void {
    thread.killReason = 'run-limit';
    thread.culprit = instance.id;
    const detail = `'${instance.msu.name}' ran ${Math.round(ranMs)} ms, its limit is ${instance.msu.runLimitMs} ms`;
    this.#state.event('run-limit-kill', thread.id, instance, detail);
    const generation = thread.generation;
    void thread.terminate();
    this.#expectEnd(thread, generation, () =>
      this.#state.options.onFatal({
        msu: instance.msu.name,
        instanceId: instance.id,
        detail: `${detail}, and its thread did not end within ${terminateMaxMs} ms`,
      }),
    );
  }

  /** Calls back if the thread has not ended when it has had the time. */
  #expectEnd(thread: AgentThread, generation: number, onStuck: () => void): void {
    const { clock } = this.#state.options;
    const reader = openThreadReader(Atomics.load(thread.block.words, ThreadWord.tid));
    const allowance = new EndingAllowance(clock.now(), reader.read());
    const timer = setInterval(() => {
      const hasEnded = !thread.isRunning || thread.generation !== generation;
      if (!hasEnded && !allowance.isOver(clock.now(), reader.read())) return;
      clearInterval(timer);
      reader.close();
      if (!hasEnded) onStuck();
    }, endingLookMs);
    timer.unref();
  }
}
