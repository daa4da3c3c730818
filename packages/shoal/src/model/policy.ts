/** What the controller is told to aim at. Ratios have no unit; durations are milliseconds. */
export interface ControllerPolicy {
  /** The window over which overload must last. Default 300. */
  readonly windowMs: number;
  /** Utilization that a type is planned for. Default 0.7. */
  readonly targetUtilization: number;
  /** Time in which a backlog is to be worked off. Default 1,000. */
  readonly drainTimeMs: number;
  /** Thread CPU share above which its busiest type is overloaded. Default 0.9. */
  readonly threadCpuMax: number;
  /** Share of a limited resource in use above which its main user is overloaded. Default 0.4. */
  readonly resourceUseMax: number;
  /** Share of the use that makes a type the main user. Default 0.5. */
  readonly resourceShareMin: number;
  /** No reclaim before a type has been calm this long. Default 20,000. */
  readonly calmMs: number;
  /** Between two reclaims of a type. Default 5,000. */
  readonly reclaimIntervalMs: number;
  /** Clones in all that may exist at one time, over all types; 0: no budget of its own. Default 64. */
  readonly clonesMax: number;
  /** Clone decisions per minute over all types, against being made to flap. Default 60. */
  readonly decisionsPerMinuteMax: number;
  /** False: observe and log, change nothing. Default true. */
  readonly isActive: boolean;
}

/** Default {@link ControllerPolicy}. */
export const defaultPolicy: ControllerPolicy = {
  windowMs: 300,
  targetUtilization: 0.7,
  drainTimeMs: 1_000,
  threadCpuMax: 0.9,
  resourceUseMax: 0.4,
  resourceShareMin: 0.5,
  calmMs: 20_000,
  reclaimIntervalMs: 5_000,
  clonesMax: 64,
  decisionsPerMinuteMax: 60,
  isActive: true,
};
