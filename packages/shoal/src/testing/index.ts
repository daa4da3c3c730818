/** For tests: time and chance that repeat, and a cluster in simulated time. */

export type { AgentTimes } from './cluster/agent.ts';
export type {
  ClusterOptions,
  CommandFault,
  ControlLinkOptions,
  LoadOptions,
  SimulatedController,
  SimulatedMachineOptions,
} from './cluster/cluster.ts';
export { SimulatedCluster } from './cluster/cluster.ts';
export type { LoadOutcomes, SimulatedHop } from './cluster/instance.ts';
export { SimulatedInstance } from './cluster/instance.ts';
export { SimulatedProcess } from './cluster/process.ts';
export { FakeClock } from './fake-clock.ts';
export type { Random } from './seeded-random.ts';
export { createSeededRandom, exponential } from './seeded-random.ts';
