import type { ServiceCertificate } from '../service/certificates.ts';
import type { MachineRole } from '../testbed/spec.ts';
import type { Testbed } from '../testbed/testbed.ts';

/** What a deployment is given to start on: machines with the databases already running. */
export interface DeploymentContext {
  readonly testbed: Testbed;
  /** Folder for this start's sockets and settings. */
  readonly folder: string;
  /** Folder in which server instances report, see `instance-report.ts`. */
  readonly reportFolder: string;
  readonly certificate: ServiceCertificate;
  /** Redis servers, as `host:port`. */
  readonly redis: readonly string[];
  /** Descriptors a server process may have. */
  readonly openFiles: number;
  /** To be called for each program of the deployment that ended and was started again. */
  readonly onRestart: () => void;
}

/** A service that answers on `host:port` until it is closed. */
export interface RunningDeployment {
  readonly host: string;
  readonly port: number;
  /** Stops everything the deployment started. */
  close(): Promise<void>;
}

/**
 * One way to run the service on the testbed's machines: one file each, listed in `index.ts`. All get the same
 * machines, and with them the same total CPU and memory; what they do with these is their own affair.
 */
export interface Deployment {
  readonly name: string;
  /** One sentence for people: what it is and what it does under load. */
  readonly title: string;
  /** What one of its instances (the figure's third panel) is. */
  readonly instance: string;
  /**
   * Share of the database machines' memory that the data takes up before the run. Default 0: an almost empty
   * store.
   */
  readonly databaseFill?: number;
  /**
   * Cores of the machines of a role, where the deployment needs them spread otherwise than the testbed has them.
   * The sum over all machines must not be higher.
   */
  readonly cores?: Partial<Readonly<Record<MachineRole, number>>>;
  /** True for a variant that only long experiments run unless it is named. */
  readonly longOnly?: boolean;
  /** Starts everything and resolves once the service answers. */
  start(context: DeploymentContext): Promise<RunningDeployment>;
}
