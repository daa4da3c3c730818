/** What can be wrong with where a deployment puts instances: names, what shares a thread, what must be together. */
import type { App } from '../app.ts';
import type { DeploymentMachine, DeploymentProcess, DeploymentThread } from '../deployment.ts';
import type { AppGraph, GraphMsu } from '../graph.ts';
import type { Limits } from '../limits.ts';
import { schedulingOrders } from '../msu.ts';
import { threadRules } from '../number-rule.ts';
import { placeOf as placeOfDeclared } from '../place.ts';
import { type AddProblem, show } from '../problem.ts';
import { threadConflict } from '../thread-sharing.ts';
import { checkChoice, checkNumber } from './checks.ts';
import { isName, nameMend, suggest } from './names.ts';
import type { PlaceOfPath } from './place-of-path.ts';

/** What a placement is checked against. */
export interface PlacementQuestion {
  readonly app: App;
  readonly graph: AppGraph;
  /** For each type, the types that must be on its process. */
  readonly together: ReadonlyMap<string, ReadonlySet<string>>;
  readonly machines: readonly DeploymentMachine[];
  readonly limits: Limits;
  readonly spareThreads: number;
  /** Cores of each machine; 0: not known. */
  readonly cores: number;
}

type Path = readonly (string | number)[];

/** State of one check: the question, and what has been found on the way. */
interface Walk extends PlacementQuestion {
  readonly placeOf: PlaceOfPath;
  readonly add: AddProblem;
  readonly types: ReadonlyMap<string, GraphMsu>;
  /** Instances placed, by type. */
  readonly placed: Map<string, number>;
}

function checkNamesOf(
  items: readonly { readonly name: string }[],
  noun: string,
  path: Path,
  { placeOf, add }: Walk,
): void {
  const seen = new Set<string>();
  for (const [index, { name }] of items.entries()) {
    const where = placeOf([...path, index, 'name']);
    if (!isName(name)) add(where, `A ${noun} has the name ${show(name)}`, nameMend);
    else if (seen.has(name))
      add(
        where,
        `Two ${noun === 'process' ? 'processes' : `${noun}s`} have the name "${name}"`,
        'Give one another name',
      );
    seen.add(name);
  }
}

function checkThread(thread: DeploymentThread, machine: string, path: Path, walk: Walk): void {
  const { placeOf, add, types } = walk;
  const subject = `Thread "${thread.name}"`;
  checkNumber(placeOf([...path, 'core']), subject, 'core', thread.core, threadRules.core, add);
  checkNumber(placeOf([...path, 'nice']), subject, 'nice', thread.nice, threadRules.nice, add);
  checkChoice(
    placeOf([...path, 'scheduling']),
    subject,
    'scheduling',
    thread.scheduling,
    schedulingOrders,
    add,
  );
  if (walk.cores > 0 && thread.core >= walk.cores) {
    const what = `${subject}: core is ${thread.core}, but machine "${machine}" has cores 0 to ${walk.cores - 1}`;
    add(placeOf([...path, 'core']), what, 'Name a core that exists, or leave core out');
  }
  const here: GraphMsu[] = [];
  const conflicts = new Set<string>();
  for (const [index, name] of thread.instances.entries()) {
    const where = placeOf([...path, 'instances', index]);
    const msu = types.get(name);
    if (msu === undefined) {
      const what = `${subject} has an instance of type ${show(name)}, which is not in the app`;
      add(where, what, suggest(String(name), [...types.keys()], 'Name a type of the app'));
      continue;
    }
    walk.placed.set(name, (walk.placed.get(name) ?? 0) + 1);
    if (msu.machines.length > 0 && !msu.machines.includes(machine)) {
      const allowed = msu.machines.map((m) => `"${m}"`).join(', ');
      const what = `${subject} puts type "${name}" on machine "${machine}", but it is allowed on ${allowed} only`;
      add(where, what, 'Move it, or extend machines of the type');
    }
    if (msu.execution === 'blocking' && thread.core >= 0) {
      const what = `${subject} is pinned to core ${thread.core}, but type "${name}" is blocking, and would hold up the core`;
      add(where, what, 'Leave core out for this thread');
    }
    const other = here.find((before) => threadConflict(before, msu) !== null);
    const reason = other === undefined ? null : threadConflict(other, msu);
    if (other !== undefined && reason !== null && !conflicts.has(`${other.name} ${name}`)) {
      conflicts.add(`${other.name} ${name}`);
      add(
        where,
        `Types "${other.name}" and "${name}" cannot share ${subject.toLowerCase()}: ${reason}`,
        'Give one a thread of its own',
      );
    }
    here.push(msu);
  }
}

function checkProcess(process: DeploymentProcess, machine: string, path: Path, walk: Walk): void {
  const { placeOf, add, limits } = walk;
  checkNamesOf(process.threads, 'thread', [...path, 'threads'], walk);
  for (const [index, thread] of process.threads.entries()) {
    checkThread(thread, machine, [...path, 'threads', index], walk);
  }
  const where = placeOf(path);
  const threads = process.threads.length + walk.spareThreads;
  if (threads > limits.threadsMax) {
    const what = `Process "${process.name}" has ${process.threads.length} threads and ${walk.spareThreads} spare, more than limits.threadsMax, ${limits.threadsMax}`;
    add(where, what, 'Raise the limit, or use fewer threads');
  }
  const instances = process.threads.flatMap((thread) => thread.instances);
  if (instances.length > limits.instancesMax) {
    const what = `Process "${process.name}" has ${instances.length} instances, more than limits.instancesMax, ${limits.instancesMax}`;
    add(where, what, 'Raise the limit, or place fewer instances');
  }
  const present = new Set(instances);
  for (const name of present) {
    for (const needed of walk.together.get(name) ?? []) {
      if (present.has(needed)) continue;
      const what = `Process "${process.name}" hosts type "${name}" without "${needed}", which must be on its process`;
      add(where, what, `Add an instance of "${needed}" to a thread of this process`);
    }
  }
}

function checkCounts(walk: Walk): void {
  const { graph, placed, placeOf, add } = walk;
  for (const msu of graph.msus) {
    if (msu.instancesMin > msu.instancesMax) continue; // reported with the type
    const count = placed.get(msu.name) ?? 0;
    const where = placeOf(['machines']);
    if (count > msu.instancesMax) {
      const what = `Type "${msu.name}" has ${count} instances, more than its max, ${msu.instancesMax}`;
      add(where, what, 'Place fewer, or raise instances.max of the type');
    } else if (count < msu.instancesMin) {
      const have = count === 0 ? 'is not placed on any thread' : `has ${count} instances`;
      const what = `Type "${msu.name}" ${have}, but its min is ${msu.instancesMin}`;
      add(where, what, 'Add it to the instances of a thread');
    }
  }
}

/** Machines that types name but the deployment does not have. */
function checkMachinesKnown(walk: Walk): void {
  const known = walk.machines.map((machine) => machine.name);
  for (const msu of walk.graph.msus) {
    for (const name of msu.machines) {
      if (known.includes(name)) continue;
      const declared = walk.app.msus.find((type) => type.options.name === msu.name);
      const what = `Type "${msu.name}" is allowed on machine "${name}", which the deployment does not have`;
      walk.add(placeOfDeclared(declared), what, suggest(name, known, 'Add the machine, or do not name it'));
    }
  }
}

/** Reports impossible placements. The numbers of the deployment are checked elsewhere. */
export function validatePlacement(question: PlacementQuestion, placeOf: PlaceOfPath, add: AddProblem): void {
  const types = new Map(question.graph.msus.map((msu) => [msu.name, msu]));
  const walk: Walk = { ...question, placeOf, add, types, placed: new Map() };
  if (question.machines.length === 0) {
    add(placeOf(['machines']), 'The deployment has no machine', 'Give it one, or leave machines out');
    return;
  }
  checkNamesOf(question.machines, 'machine', ['machines'], walk);
  for (const [m, machine] of question.machines.entries()) {
    const path = ['machines', m, 'processes'];
    if (machine.processes.length === 0) {
      add(placeOf(['machines', m]), `Machine "${machine.name}" has no process`, 'Give it one');
    }
    checkNamesOf(machine.processes, 'process', path, walk);
    for (const [p, process] of machine.processes.entries()) {
      checkProcess(process, machine.name, [...path, p], walk);
    }
  }
  checkCounts(walk);
  checkMachinesKnown(walk);
}
