import type { AnyMsuType } from '../app.ts';
import type { Dependency } from '../msu.ts';
import { placeOf } from '../place.ts';
import { type AddProblem, show } from '../problem.ts';
import { suggest } from './names.ts';

/**
 * Reports what is wrong with the dependencies that a type declares, one by one. `msu` as it was declared, `names`: of
 * the types of the app.
 */
export function validateDependencyList(msu: AnyMsuType, names: readonly string[], add: AddProblem): void {
  const where = placeOf(msu);
  const subject = `Type "${msu.options.name}"`;
  const declared: unknown = msu.options.dependencies;
  if (declared === undefined) return;
  if (!Array.isArray(declared)) {
    add(where, `${subject}: dependencies is ${show(declared)}`, 'Give a list of { msu, locality }');
    return;
  }
  const localityOf = new Map<string, unknown>();
  for (const dependency of declared as readonly (Partial<Dependency> | null)[]) {
    const name = dependency?.msu;
    if (typeof name !== 'string') {
      add(where, `${subject} has a dependency ${show(dependency)} without a type`, 'Give { msu, locality }');
      continue;
    }
    if (name === msu.options.name) {
      add(where, `${subject} depends on itself`, 'Remove the dependency');
    } else if (!names.includes(name)) {
      const what = `${subject} depends on type "${name}", which is not in the app`;
      add(where, what, suggest(name, names, 'Add the type to msus, or remove the dependency'));
    }
    const locality: unknown = dependency?.locality;
    if (locality !== 'local' && locality !== 'remote') {
      const what = `${subject}: the dependency on "${name}" has the locality ${show(locality)}`;
      add(where, what, 'Use "local" (on the same process) or "remote" (anywhere)');
    }
    const before = localityOf.get(name);
    if (before !== undefined) {
      const what =
        before === locality
          ? `${subject} names the dependency on "${name}" twice`
          : `${subject} depends on "${name}" both locally and remotely`;
      add(where, what, before === locality ? 'Name it once' : 'Keep the local one');
    }
    localityOf.set(name, locality);
  }
}
