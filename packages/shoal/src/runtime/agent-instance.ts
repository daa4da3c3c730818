/** What the agent knows of an instance: where it is, its lanes, and its counters over all of them. */
import type { Connection, GraphMsu, InstanceId, ThreadId } from '../model/index.ts';
import {
  createLaneMemory,
  ends,
  failedCode,
  type LaneBounds,
  type LaneMemory,
  LaneProbe,
  LaneReader,
  shedCode,
} from '../transport/index.ts';
import { createCodec, Envelope, type GiveUpReason } from '../wire/index.ts';
import { releaseConnection } from './connection-owner.ts';
import { createInstanceBlock, InstanceFloat } from './shared-block.ts';
import type { ThreadLane } from './thread-messages.ts';

/** A lane as the agent sees it. */
export interface AgentLane {
  readonly probe: LaneProbe;
  /** Its sender is gone for good: dropped when it is empty. */
  isClosing: boolean;
}

export class AgentInstance {
  readonly id: InstanceId;
  readonly msu: GraphMsu;
  readonly block: SharedArrayBuffer;
  readonly stats: Float64Array;
  threadId: ThreadId;
  phase: 'starting' | 'serving' | 'draining' | 'lost' = 'starting';
  /** It takes messages: it has begun, and its thread is not lost. */
  hasBegun = false;
  /** How often it has lost its thread. */
  restarts = 0;
  /** At the last look: since when a handler ran (0: none), and whether something waited. */
  #ranSince = 0;
  #hadWaiting = false;
  /** It is being removed: it is not started again, whatever happens to its thread. */
  isLeaving = false;
  /** Why it is not brought back; null: it is there, or comes back. */
  givenUp: GiveUpReason | null = null;
  /** Its present worker was told of it, with the lanes there were: a lane made from then on has to be attached. */
  isTold = false;
  /** Names of the custom counters, by slot. */
  readonly counterNames: string[] = [];
  /** Lanes by sending thread. */
  readonly lanes: Map<ThreadId, AgentLane> = new Map();
  readonly replyLanes: Map<ThreadId, LaneMemory> = new Map();
  /** Of a keyed type: lanes by the instance of the type that passes on by them. */
  readonly siblingLanes: Map<InstanceId, AgentLane> = new Map();
  /** Ends counted in lanes that are gone. */
  readonly #folded: number[] = ends.map(() => 0);

  constructor(id: InstanceId, msu: GraphMsu, threadId: ThreadId) {
    this.id = id;
    this.msu = msu;
    this.block = createInstanceBlock(msu);
    this.stats = new Float64Array(this.block);
    this.threadId = threadId;
  }

  /** The lane from a thread; made where it is missing. */
  lane(from: ThreadId, bounds: LaneBounds): { memory: LaneMemory; isNew: boolean } {
    return laneOf(this.lanes, from, bounds);
  }

  /** The lane by which another instance of the type passes on; made where it is missing. */
  siblingLane(from: InstanceId, bounds: LaneBounds): { memory: LaneMemory; isNew: boolean } {
    return laneOf(this.siblingLanes, from, bounds);
  }

  /** Every lane that leads to it, as its thread is told. */
  allLanes(): ThreadLane[] {
    return [
      ...[...this.lanes.values()].map(({ probe }) => ({ lane: probe.memory, kind: 'message' as const })),
      ...[...this.siblingLanes.values()].map(({ probe }) => ({
        lane: probe.memory,
        kind: 'sibling' as const,
      })),
      ...[...this.replyLanes.values()].map((lane) => ({ lane, kind: 'reply' as const })),
    ];
  }

  /**
   * Ends what is left when its thread has ended for good and nobody sends any more, so that the counts add up:
   * `thread-lost` what it held, `stopping` what waited. Connections that nobody took are closed.
   */
  settle(): void {
    for (const { probe } of [...this.lanes.values(), ...this.siblingLanes.values()]) {
      const reader = new LaneReader(probe.memory);
      const envelope = new Envelope();
      for (const index of reader.recover()) {
        reader.readHeader(index, envelope);
        this.#closeConnection(reader, index, envelope);
        reader.finishRecovered(index, failedCode('thread-lost'));
      }
      while (reader.poll() > 0) {
        const index = reader.take(envelope);
        this.#closeConnection(reader, index, envelope);
        reader.finish(index, shedCode('stopping'));
      }
    }
    let ended = 0;
    for (let end = 0; end < ends.length; end++) ended += this.stats[InstanceFloat.localEnds + end] as number;
    const at = InstanceFloat.localEnds + failedCode('thread-lost');
    const lost = (this.stats[InstanceFloat.localAccepted] as number) - ended;
    this.stats[at] = (this.stats[at] as number) + lost;
  }

  #closeConnection(reader: LaneReader, index: number, envelope: Envelope): void {
    const message = this.msu.in[envelope.port]?.message;
    if (message?.kind === 'connection')
      releaseConnection(reader.payload(index, createCodec(message)) as Connection);
  }

  /**
   * Whether there is more to do than it has time for, as it seems: something waits, or the same handler runs, as when this was
   * asked last. What has come by a lane since its handler began shows only by that.
   */
  isPressed(): boolean {
    const ranSince = this.stats[InstanceFloat.runningSince] as number;
    const waiting = this.stats[InstanceFloat.queueLength] as number;
    const hasWaiting = waiting > 0 || (this.stats[InstanceFloat.waitingReported] as number) > 0;
    const isPressed = (hasWaiting && this.#hadWaiting) || (ranSince !== 0 && ranSince === this.#ranSince);
    this.#ranSince = ranSince;
    this.#hadWaiting = hasWaiting;
    return isPressed;
  }

  /** Accepted and ended messages over all ways in. Ends by end code. */
  counts(): { accepted: number; ended: number[] } {
    const ended = this.#folded.map(
      (count, end) => count + (this.stats[InstanceFloat.localEnds + end] as number),
    );
    let accepted = this.stats[InstanceFloat.localAccepted] as number;
    for (const count of this.#folded) accepted += count;
    accepted += this.#addCounts(this.lanes, ended) + this.#addCounts(this.siblingLanes, ended);
    return { accepted, ended };
  }

  /** Adds what ended in lanes, and answers what they accepted. Folds those that are empty and closing. */
  #addCounts<From>(lanes: Map<From, AgentLane>, ended: number[]): number {
    let accepted = 0;
    for (const [from, lane] of lanes) {
      const { accepted: laneAccepted, waiting, ended: laneEnded } = lane.probe.read();
      accepted += laneAccepted;
      laneEnded.forEach((count, end) => {
        ended[end] = (ended[end] as number) + count;
      });
      if (!lane.isClosing || waiting > 0) continue;
      laneEnded.forEach((count, end) => {
        this.#folded[end] = (this.#folded[end] as number) + count;
      });
      lanes.delete(from);
    }
    return accepted;
  }
}

function laneOf<From>(
  lanes: Map<From, AgentLane>,
  from: From,
  bounds: LaneBounds,
): { memory: LaneMemory; isNew: boolean } {
  const known = lanes.get(from);
  if (known !== undefined) return { memory: known.probe.memory, isNew: false };
  const memory = createLaneMemory(bounds);
  lanes.set(from, { probe: new LaneProbe(memory), isClosing: false });
  return { memory, isNew: true };
}
