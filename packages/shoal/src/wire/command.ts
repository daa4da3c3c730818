/**
 * What the controller asks of agents. Every command is idempotent (the same `commandId` is carried out once and
 * answered alike), bears the controller's epoch, and is acknowledged with a result. An agent refuses a command
 * or a table of an older epoch.
 */
import type { InstanceId, MachineId, ProcessId, ThreadId } from '../model/index.ts';

/** Where an instance is to run. */
export type ThreadTarget =
  | { readonly kind: 'thread'; readonly threadId: ThreadId }
  /** A thread of its own: a spare one where there is one, else a new one. */
  | { readonly kind: 'own' };

/** One endpoint of a routing table. */
export interface Endpoint {
  readonly instanceId: InstanceId;
  readonly machine: MachineId;
  readonly process: ProcessId;
  /** Relative share; > 0. */
  readonly weight: number;
  /** True: gets no new keys and no new stateless messages; keys it holds stay until they end or are handed over. */
  readonly isDraining: boolean;
}

/** All endpoints of one edge; replaced whole. */
export interface RoutingTable {
  readonly edgeId: number;
  /** Grows with every change within an epoch. */
  readonly version: number;
  readonly endpoints: readonly Endpoint[];
}

export type CommandBody =
  /** Creates and warms up an instance; acknowledged when it is ready to serve. */
  | {
      readonly kind: 'add-instance';
      readonly instanceId: InstanceId;
      readonly msu: string;
      readonly target: ThreadTarget;
      /** OS niceness of a thread made for it. */
      readonly nice: number;
    }
  /** No new work: acknowledged when its queue, states and connections are gone, or `drainMaxMs` has passed. */
  | { readonly kind: 'drain-instance'; readonly instanceId: InstanceId; readonly drainMaxMs: number }
  /** Ends a drained (or lost) instance; what is left in its queue ends `shed: stopping`. */
  | { readonly kind: 'remove-instance'; readonly instanceId: InstanceId }
  /** Replaces routing tables; acknowledged when every thread uses them. */
  | { readonly kind: 'set-tables'; readonly tables: readonly RoutingTable[] };

export interface Command {
  readonly commandId: string;
  readonly epoch: number;
  /** The machine of the process. Absent: process names are unique in the deployment. */
  readonly machine?: MachineId;
  readonly process: ProcessId;
  readonly body: CommandBody;
}

export type CommandResult =
  | { readonly commandId: string; readonly isOk: true; readonly tookMs: number }
  | {
      readonly commandId: string;
      readonly isOk: false;
      readonly reason:
        | 'stale-epoch'
        | 'unknown-instance'
        | 'no-thread'
        | 'start-failed'
        | 'limit'
        | 'not-drained';
      readonly detail: string;
    };

/**
 * The controller's way to the agents: in-process by default. Calls resolve with a result and never reject.
 */
export interface ControlBus {
  /** Sends a command to the process it names. */
  send(command: Command): Promise<CommandResult>;
  /** Calls back with every report. */
  onReport(listener: (report: import('./sample.ts').Report) => void): void;
  /** Calls back with every heartbeat. */
  onHeartbeat(listener: (heartbeat: import('./sample.ts').Heartbeat) => void): void;
}
