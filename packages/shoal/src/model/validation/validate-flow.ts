/** What can be wrong with the graph as a whole: types that nothing reaches, and cycles that nothing bounds. */
import type { AnyMsuType, App, Edge } from '../app.ts';
import { type Place, placeOf } from '../place.ts';
import type { AddProblem } from '../problem.ts';
import { cyclesOf, cycleThrough } from './components.ts';

/** True if something starts in the type by itself: messages enter there, or it has a timer. */
function startsByItself(msu: AnyMsuType): boolean {
  const isEntry = msu.options.entry ?? Object.keys(msu.in).length === 0;
  return isEntry || Object.keys(msu.timers).length > 0;
}

function checkReach(app: App, msus: ReadonlyMap<string, AnyMsuType>, appPlace: Place, add: AddProblem): void {
  const types = [...msus.values()];
  if (types.length === 0) return;
  const isFed = new Set(app.edges.map((edge) => edge.to.msu));
  // A type with a port that nothing feeds is reported for that; what comes after it is not a mistake of its own.
  const begins = types.filter(
    (msu) =>
      startsByItself(msu) ||
      (!isFed.has(msu.options.name) && Object.keys(msu.in).length > 0) ||
      app.edges.some((edge) => edge.to.msu === msu.options.name && !msus.has(edge.from.msu)),
  );
  if (!types.some(startsByItself)) {
    const what = `App "${app.name}" has no type in which anything begins`;
    add(appPlace, what, 'Give it a type without in-ports, one with a timer, or one with entry: true');
    return;
  }
  const reached = new Set(begins.map((msu) => msu.options.name));
  for (const name of reached) {
    for (const edge of app.edges) if (edge.from.msu === name) reached.add(edge.to.msu);
  }
  for (const msu of types) {
    const name = msu.options.name;
    if (reached.has(name)) continue;
    const what = `No message ever reaches type "${name}"`;
    const mend = 'Connect it to a type that messages reach, remove it, or declare entry: true';
    add(placeOf(msu), what, mend);
  }
}

function checkCycles(app: App, msus: ReadonlyMap<string, AnyMsuType>, add: AddProblem): void {
  const isUnbounded = (name: string): boolean => {
    const bound = msus.get(name)?.options.queueMaxMessages;
    return msus.has(name) && !(bound !== undefined && bound > 0);
  };
  const edges = app.edges.filter((edge) => isUnbounded(edge.from.msu) && isUnbounded(edge.to.msu));
  const next = (name: string): readonly string[] =>
    edges.filter((edge) => edge.from.msu === name).map((edge) => edge.to.msu);
  for (const members of cyclesOf([...msus.keys()].filter(isUnbounded), next)) {
    const path = cycleThrough(members[0] ?? '', members, next);
    const isClosing = (edge: Edge): boolean => edge.from.msu === path.at(-2) && edge.to.msu === path.at(-1);
    const what = `The cycle ${path.map((name) => `"${name}"`).join(' → ')} has no queue bound: messages can fill it up`;
    add(placeOf(edges.find(isClosing)), what, 'Give one of its types queueMaxMessages');
  }
}

/** Reports types that nothing reaches, and cycles without a queue bound. */
export function validateFlow(
  app: App,
  msus: ReadonlyMap<string, AnyMsuType>,
  appPlace: Place,
  add: AddProblem,
): void {
  checkReach(app, msus, appPlace, add);
  checkCycles(app, msus, add);
}
