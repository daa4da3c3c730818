import type { TestbedSpec } from '../spec.ts';

/** The smallest testbed that is worth one: two machines. */
export const twoMachines: TestbedSpec = {
  machines: [
    { name: 'web1', role: 'web', cores: 0.4, memoryMiB: 192, sysctls: { 'net.ipv4.tcp_syncookies': 0 } },
    { name: 'client', role: 'client', cores: 0.4, memoryMiB: 192, sysctls: {} },
  ],
};
