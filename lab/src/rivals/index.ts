import { cluster } from './cluster.ts';
import type { Deployment } from './deployment.ts';
import { hardened } from './hardened.ts';
import { naive, naiveFull } from './naive.ts';
import { standalone } from './standalone.ts';
import { watt } from './watt.ts';

export type { Deployment, DeploymentContext, RunningDeployment } from './deployment.ts';

/** Every deployment that an experiment can run, in the order of its tables. */
export const deployments: readonly Deployment[] = [standalone, cluster, naive, naiveFull, hardened, watt];
