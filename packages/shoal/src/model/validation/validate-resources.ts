/** What can be wrong with the limited resources of types. */
import type { AnyMsuType } from '../app.ts';
import { resourcesMax } from '../limits.ts';
import { processResources, type ResourcePool } from '../msu.ts';
import { nearestName } from '../nearest-name.ts';
import { describeRule, meetsRule, msuRules } from '../number-rule.ts';
import { type Place, placeOf } from '../place.ts';
import { type AddProblem, show } from '../problem.ts';
import { checkKeys, checkNumber, isRecord } from './checks.ts';
import { isName, nameMend } from './names.ts';

const isOfProcess = (name: unknown): boolean => processResources.some((known) => known === name);

/** Reports what is not a list of at most `resourcesMax` distinct resources, each with a limit that is known. */
export function validateResources(where: Place, subject: string, value: unknown, add: AddProblem): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) {
    add(where, `${subject}: resources is ${show(value)}`, 'Give a list, or leave resources out');
    return;
  }
  if (value.length > resourcesMax) {
    const what = `${subject} has ${value.length} limited resources, more than ${resourcesMax}`;
    add(where, what, 'Name those that run out first');
  }
  const names: unknown[] = [];
  for (const item of value as readonly unknown[]) {
    const name = isRecord(item) ? item.name : item;
    if (names.includes(name)) add(where, `${subject}: resources names ${show(name)} twice`, 'Name it once');
    names.push(name);
    if (isRecord(item)) checkPool(where, subject, item, add);
    else if (!isOfProcess(item)) {
      const nearest = typeof item === 'string' ? nearestName(item, processResources) : null;
      const known = nearest === null ? '' : `Did you mean "${nearest}"? Else give`;
      const pool = `{ name: ${typeof item === 'string' ? show(item) : '"…"'}, limit: … }, the limit of one process`;
      add(
        where,
        `${subject}: the resource ${show(item)} has no limit`,
        `${known === '' ? 'Give' : known} ${pool}`,
      );
    }
  }
}

function checkPool(
  where: Place,
  subject: string,
  pool: Readonly<Record<string, unknown>>,
  add: AddProblem,
): void {
  if (isOfProcess(pool.name)) {
    const what = `${subject}: the resource ${show(pool.name)} is given a limit, but the process has one`;
    add(where, what, `Write ${show(pool.name)} alone, or give the pool another name`);
    return;
  }
  if (!isName(pool.name)) add(where, `${subject}: a resource has the name ${show(pool.name)}`, nameMend);
  const named = `${subject}: resource ${show(pool.name)}`;
  checkKeys(where, named, pool, ['name', 'limit'], add);
  const rule = msuRules['resource.limit'];
  if (pool.limit === undefined) add(where, `${named} has no limit`, `Give ${describeRule(rule)}`);
  checkNumber(where, named, 'limit', pool.limit, rule, add);
}

/** Reports pools that types share and of which they think differently. */
export function validateSharedPools(msus: Iterable<AnyMsuType>, add: AddProblem): void {
  const known = new Map<string, { readonly limit: number; readonly msu: string }>();
  for (const msu of msus) {
    const resources: unknown = msu.options.resources;
    for (const item of Array.isArray(resources) ? (resources as readonly unknown[]) : []) {
      if (!isRecord(item) || typeof item.name !== 'string') continue;
      if (!meetsRule(item.limit, msuRules['resource.limit'])) continue;
      const { name, limit } = item as unknown as ResourcePool;
      const first = known.get(name);
      if (first === undefined) known.set(name, { limit, msu: msu.options.name });
      else if (first.limit !== limit) {
        const what = `Type ${show(msu.options.name)}: resource ${show(name)} has limit ${limit}, but ${first.limit} in type ${show(first.msu)}`;
        add(placeOf(msu), what, 'Instances of a process share the pool: give both the same limit');
      }
    }
  }
}
