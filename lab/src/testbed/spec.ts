import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { LabError } from '../lab-error.ts';

/** What a machine is for; experiments find machines by it. */
export type MachineRole = 'load-balancer' | 'web' | 'database' | 'client' | 'attacker';

/** One machine of a testbed. */
export interface MachineSpec {
  /** Lower-case letters, digits and hyphens; at most 12. */
  readonly name: string;
  readonly role: MachineRole;
  /** CPU quota, in cores; enforced in periods of 10 ms, so 0.1 is the least. */
  readonly cores: number;
  /** Memory limit, in MiB; what exceeds it is killed. At least 16. */
  readonly memoryMiB: number;
  /** Kernel settings of the machine's network, for example `net.ipv4.tcp_syncookies: 0`. Default none. */
  readonly sysctls: Readonly<Record<string, number | string>>;
}

/** A whole testbed. */
export interface TestbedSpec {
  readonly machines: readonly MachineSpec[];
}

/** The least quota: the kernel's shortest slice (1 ms) in our period (10 ms). */
export const CORES_MIN = 0.1;
/** Addresses 10.77.0.1 to .254. */
export const MACHINES_MAX = 64;
const SYSCTL_PATTERN = /^net(\.[A-Za-z0-9_-]+)+$/;
const NAME_PATTERN = /^[a-z][a-z0-9-]{0,11}$/;

const group = z.strictObject({
  name: z.string().regex(NAME_PATTERN, 'a name is 1 to 12 of a-z, 0-9 and -, beginning with a letter'),
  role: z.enum(['load-balancer', 'web', 'database', 'client', 'attacker']),
  count: z.int().min(1).max(MACHINES_MAX).optional(),
  cores: z
    .number()
    .min(CORES_MIN, `the least quota is ${CORES_MIN} cores (1 ms in each period of 10 ms)`)
    .max(64),
  memoryMiB: z.int().min(16).max(1_048_576),
  sysctls: z
    .record(z.string(), z.union([z.number(), z.string()]))
    .superRefine((settings, context) => {
      for (const name of Object.keys(settings))
        if (!SYSCTL_PATTERN.test(name))
          context.addIssue({
            code: 'custom',
            path: [name],
            message: 'only settings below net. belong to one machine',
          });
    })
    .default({}),
});
const file = z.strictObject({
  overcommit: z.boolean().default(false),
  machines: z.array(group).min(1),
});

type Fault = { readonly path: readonly PropertyKey[]; readonly message: string };

/** Groups with a `count` become machines name1, name2, …. */
function expand(groups: z.infer<typeof file>['machines']): { spec: MachineSpec; group: number }[] {
  return groups.flatMap(({ count, ...machine }, index) =>
    count === undefined
      ? [{ spec: machine, group: index }]
      : Array.from({ length: count }, (_, number) => ({
          spec: { ...machine, name: `${machine.name}${number + 1}` },
          group: index,
        })),
  );
}

/** Faults that no single field shows: names used twice, too many machines, more cores than there are. */
function wholeFaults(parsed: z.infer<typeof file>, cores: number): Fault[] {
  const faults: Fault[] = [];
  const machines = expand(parsed.machines);
  const seen = new Set<string>();
  for (const { spec, group: index } of machines) {
    if (seen.has(spec.name))
      faults.push({ path: ['machines', index, 'name'], message: `two machines are named "${spec.name}"` });
    seen.add(spec.name);
    if (!NAME_PATTERN.test(spec.name) && NAME_PATTERN.test(parsed.machines[index]?.name ?? ''))
      faults.push({
        path: ['machines', index, 'name'],
        message: `"${spec.name}" is longer than 12 letters: shorten the name, for the number is added to it`,
      });
  }
  if (machines.length > MACHINES_MAX)
    faults.push({
      path: ['machines'],
      message: `${machines.length} machines are more than the ${MACHINES_MAX} possible`,
    });
  const total = machines.reduce((sum, { spec }) => sum + spec.cores, 0);
  if (total > cores + 1e-9 && !parsed.overcommit)
    faults.push({
      path: ['machines'],
      message:
        `the machines add up to ${Number(total.toFixed(3))} cores and this host has ${cores}: ` +
        'make them smaller, or set "overcommit: true" and know that quotas are then no promise',
    });
  return faults;
}

/**
 * Reads a spec from YAML (or JSON, which is YAML). `name` is what errors call the file; `cores` is what this
 * host has. Throws one `LabError` that lists every fault with its line and column.
 */
export function parseSpec(text: string, name: string, cores: number = availableParallelism()): TestbedSpec {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const syntax = document.errors.map((error) => `${place(error.pos[0])}: ${error.message.split('\n')[0]}`);
  if (syntax.length > 0) throw new LabError(syntax.join('\n'));

  const parsed = file.safeParse(document.toJS());
  const faults: readonly Fault[] = parsed.success ? wholeFaults(parsed.data, cores) : parsed.error.issues;
  if (parsed.success && faults.length === 0)
    return { machines: expand(parsed.data.machines).map(({ spec }) => spec) };
  throw new LabError(
    faults
      .map(({ path, message }) => {
        // A missing field has no node of its own: point at the nearest thing around it.
        let depth = path.length;
        let node: unknown;
        while (depth >= 0 && node === undefined) {
          node = document.getIn(path.slice(0, depth) as unknown[], true);
          depth -= 1;
        }
        const range = (node as { range?: readonly number[] } | null | undefined)?.range;
        return `${place(range?.[0] ?? 0)}: ${path.map(String).join('.') || 'the file'}: ${message}`;
      })
      .join('\n'),
  );
}

/** Reads a spec file. Throws `LabError` when it cannot be read or is wrong. */
export function loadSpec(path: string): TestbedSpec {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new LabError(`The spec file ${path} cannot be read: ${(error as Error).message}`);
  }
  return parseSpec(text, path);
}
