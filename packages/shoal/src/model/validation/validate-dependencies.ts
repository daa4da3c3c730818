/** What can be wrong with where types may run relative to each other. */
import type { AnyMsuType, App } from '../app.ts';
import type { Dependency } from '../msu.ts';
import { placeOf } from '../place.ts';
import { type AddProblem, andList } from '../problem.ts';

type Msus = ReadonlyMap<string, AnyMsuType>;

const quoted = (names: readonly string[]): string => andList(names.map((name) => `"${name}"`));

/** The dependencies of a type on other types of the app. */
function knownDependencies(msu: AnyMsuType, msus: Msus): readonly Dependency[] {
  const { dependencies = [], name } = msu.options;
  return dependencies.filter((d) => msus.has(d.msu) && d.msu !== name);
}

/** Types that depend on each other, one of them locally and the other not: the cycle contradicts itself. */
function checkMutual(msu: AnyMsuType, msus: Msus, add: AddProblem): void {
  const name = msu.options.name;
  for (const dependency of knownDependencies(msu, msus)) {
    if (dependency.locality !== 'local') continue;
    const seen = new Set([dependency.msu]);
    for (const at of seen) {
      const type = msus.get(at);
      if (type === undefined) continue;
      for (const further of knownDependencies(type, msus)) {
        if (further.msu === name && further.locality === 'remote') {
          const what = `Type "${name}" needs "${dependency.msu}" on its own process, but through "${at}" may be on another one itself: the dependency cycle contradicts itself`;
          add(placeOf(msu), what, `Make the dependency of "${at}" on "${name}" local, or remove it`);
          return;
        }
        if (further.msu !== name) seen.add(further.msu);
      }
    }
  }
}

/** For each type, the types that must be on its process: local dependencies and `same-process` edges, and theirs. */
export function togetherWith(app: App, msus: Msus): ReadonlyMap<string, ReadonlySet<string>> {
  const direct = new Map<string, string[]>();
  const join = (a: string, b: string): void => {
    direct.set(a, [...(direct.get(a) ?? []), b]);
  };
  for (const msu of msus.values()) {
    for (const d of knownDependencies(msu, msus)) if (d.locality === 'local') join(msu.options.name, d.msu);
  }
  for (const edge of app.edges) {
    const to = msus.get(edge.to.msu);
    if (to === undefined || !msus.has(edge.from.msu)) continue;
    const isWithin =
      edge.routing === 'same-process' || (edge.routing === 'default' && to.options.state === 'pinned');
    if (isWithin && edge.from.msu !== edge.to.msu) join(edge.from.msu, edge.to.msu);
  }
  return new Map(
    [...msus.keys()].map((name) => {
      const all = new Set([name]);
      for (const at of all) for (const further of direct.get(at) ?? []) all.add(further);
      return [name, all];
    }),
  );
}

const machinesOf = (msu: AnyMsuType | undefined): readonly string[] => msu?.options.machines ?? [];

/** How many instances of a type there are at the start. */
function initialOf(msu: AnyMsuType | undefined): number {
  const given = msu?.options.instances;
  return given?.initial ?? Math.max(1, given?.min ?? 1);
}

/** Sets of types with a member in common become one: where each type runs on one process only. */
function mergeSets(sets: readonly ReadonlySet<string>[]): readonly ReadonlySet<string>[] {
  const merged: Set<string>[] = [];
  for (const set of sets) {
    const overlapping = merged.filter((other) => [...set].some((name) => other.has(name)));
    for (const other of overlapping) merged.splice(merged.indexOf(other), 1);
    merged.push(new Set([...overlapping.flatMap((other) => [...other]), ...set]));
  }
  return merged;
}

function checkTogether(app: App, msus: Msus, isDerived: boolean, add: AddProblem): void {
  const together = togetherWith(app, msus);
  const reported = new Set<string>();
  for (const set of isDerived ? mergeSets([...together.values()]) : together.values()) {
    const bound = [...set].filter((name) => machinesOf(msus.get(name)).length > 0);
    const allowed = bound.map((name) => machinesOf(msus.get(name)));
    const key = [...bound].sort().join(' ');
    if (bound.length < 2 || allowed[0]?.some((m) => allowed.every((list) => list.includes(m)))) continue;
    if (reported.has(key)) continue;
    reported.add(key);
    const what = `Types ${quoted(bound)} must be on one process, but no machine is allowed to all of them`;
    add(placeOf(msus.get(bound[0] ?? '')), what, 'Give them a machine in common');
  }
  for (const [name, set] of together) {
    const absent = [...set].find((other) => initialOf(msus.get(other)) === 0);
    if (initialOf(msus.get(name)) === 0 || absent === undefined) continue;
    const what = `Type "${name}" needs "${absent}" on its process, which starts with 0 instances`;
    add(placeOf(msus.get(name)), what, `Give "${absent}" an initial instance`);
  }
}

/** Instances of all types that a derived deployment starts with. */
const initialMax = 1_024;

function checkTotal(app: App, msus: Msus, add: AddProblem): void {
  const total = [...msus.values()].reduce((sum, msu) => sum + initialOf(msu), 0);
  if (total <= initialMax) return;
  const what = `The app starts with ${total} instances, more than ${initialMax}`;
  add(placeOf(app), what, 'Start fewer, or write a deployment that spreads them over machines');
}

/**
 * Reports contradictions of locality, and types that must but cannot be together. `isDerived`: the
 * deployment will be derived, with every type on one process only.
 */
export function validateDependencies(app: App, msus: Msus, isDerived: boolean, add: AddProblem): void {
  for (const msu of msus.values()) {
    checkMutual(msu, msus, add);
  }
  checkTogether(app, msus, isDerived, add);
  if (isDerived) checkTotal(app, msus, add);
}
