// The testbed's network: a switch (a bridge) and a cable (a veth pair) to every machine.
//
//   shoal-ID.switch:  br0 ── web1 ══ eth0  :shoal-ID.web1
//                         ── db1  ══ eth0  :shoal-ID.db1
//
// I1  The switch has a namespace of its own: the host has no interface on it.
// I2  No namespace has a default route, forwards packets, or speaks IPv6.
// So no packet of a testbed can reach the host's network, nor the other way round.
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import {
  NETNS_FOLDER,
  NETWORK_BITS,
  namespaceFile,
  namespacePrefix,
  type PlacedMachine,
  switchNamespace,
} from './layout.ts';

const run = promisify(execFile);

/** Settings of every namespace: I2, and room for many short connections. */
const sysctls: Readonly<Record<string, string>> = {
  'net.ipv6.conf.all.disable_ipv6': '1',
  'net.ipv6.conf.default.disable_ipv6': '1',
  'net.ipv4.ip_forward': '0',
  'net.ipv4.ip_local_port_range': '1024 65535',
  'net.ipv4.tcp_tw_reuse': '1',
  'net.core.somaxconn': '4096',
};

/** Writes kernel settings inside a namespace; a setting that the kernel lacks is an error. */
function applySysctls(namespace: string, settings: Readonly<Record<string, string | number>>): void {
  const names = Object.keys(settings);
  const script = 'while [ $# -gt 0 ]; do echo "$2" > "$1" || exit 1; shift 2; done';
  const args = names.flatMap((name) => [`/proc/sys/${name.replaceAll('.', '/')}`, String(settings[name])]);
  execFileSync('nsenter', [`--net=${namespaceFile(namespace)}`, 'sh', '-c', script, 'sh', ...args], {
    stdio: 'pipe',
  });
}

function ipBatch(namespace: string, lines: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n`, stdio: 'pipe' });
}

/** Makes the namespaces, the switch and the cables. Throws what `ip` says when it fails. */
export function createNetwork(id: string, machines: readonly PlacedMachine[]): void {
  const hub = switchNamespace(id);
  for (const namespace of [hub, ...machines.map((machine) => machine.namespace)]) {
    execFileSync('ip', ['netns', 'add', namespace], { stdio: 'pipe' });
    // Settings that only newer kernels keep per namespace are left out of the switch, which needs none of them.
    applySysctls(namespace, namespace === hub ? { 'net.ipv6.conf.default.disable_ipv6': '1' } : sysctls);
  }
  ipBatch(hub, [
    'link add br0 type bridge stp_state 0 forward_delay 0',
    'link set br0 up',
    ...machines.flatMap(({ name, namespace }) => [
      `link add ${name} type veth peer name eth0 netns ${namespace}`,
      `link set ${name} master br0 up`,
    ]),
  ]);
  for (const { namespace, address, sysctls: own } of machines) {
    ipBatch(namespace, [
      'link set lo up',
      `addr add ${address}/${NETWORK_BITS} dev eth0`,
      'link set eth0 up',
    ]);
    applySysctls(namespace, own);
  }
}

/** Names of the testbed's namespaces that exist now. */
export function listNamespaces(prefix: string): string[] {
  try {
    return readdirSync(NETNS_FOLDER).filter((name) => name.startsWith(prefix));
  } catch {
    // The folder is made with the first namespace.
    return [];
  }
}

/** Deletes the testbed's namespaces, and with them the switch and the cables. */
export function deleteNetwork(id: string): void {
  for (const namespace of listNamespaces(namespacePrefix(id))) {
    try {
      execFileSync('ip', ['netns', 'delete', namespace], { stdio: 'pipe' });
    } catch (error) {
      // Someone else taking down the same testbed was faster.
      if (listNamespaces(namespace).includes(namespace)) throw error;
    }
  }
}

export interface PortBytes {
  /** Bytes that the machine received and sent on its cable, Ethernet headers included. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

interface LinkReport {
  readonly ifname: string;
  readonly stats64: { readonly rx: { readonly bytes: number }; readonly tx: { readonly bytes: number } };
}

/** Bytes on every machine's cable, by machine name, read at the switch. */
export async function portBytes(id: string): Promise<ReadonlyMap<string, PortBytes>> {
  const { stdout } = await run('ip', ['-n', switchNamespace(id), '-json', '-statistics', 'link', 'show']);
  const links = JSON.parse(stdout) as readonly LinkReport[];
  // What the switch's end of a cable sends, the machine receives.
  return new Map(
    links.map(({ ifname, stats64 }) => [
      ifname,
      { receivedBytes: stats64.tx.bytes, sentBytes: stats64.rx.bytes },
    ]),
  );
}
