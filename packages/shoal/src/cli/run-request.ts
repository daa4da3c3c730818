/** What `shoal run` was asked for; plain data, handed from the supervisor to the process that serves. */
export interface RunRequest {
  /** Absolute paths. */
  readonly app: string;
  /** Null: none; it is derived. */
  readonly deploymentFile: string | null;
  readonly runDirectory: string;
  /** 0: one that is free. */
  readonly controlPort: number;
  /** Log JSON lines. */
  readonly isJson: boolean;
}

/**
 * Exit codes with which the process that serves tells its supervisor that it could not start, and has said why: it
 * failed, or the input is wrong. Others than those of crashes (1 is Node's own for an uncaught exception).
 */
export const startFailedStatus = 77;
export const wrongInputStatus = 78;
