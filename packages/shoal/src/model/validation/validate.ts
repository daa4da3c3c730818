/** Finds every mistake of an app and its deployment at once. Pure: the places are found by who made the values. */
import type { AnyMsuType, App } from '../app.ts';
import type { Deployment, DeploymentMachine } from '../deployment.ts';
import { type AppGraph, describeApp } from '../graph.ts';
import { type Place, placeOf, unknownPlace } from '../place.ts';
import { type AddProblem, invalidApp, type Problem, show, sortProblems } from '../problem.ts';
import { isName, nameMend } from './names.ts';
import type { PlaceOfPath } from './place-of-path.ts';
import { isSoundEdge, soundApp, soundType } from './sound-app.ts';
import { togetherWith, validateDependencies } from './validate-dependencies.ts';
import { validateDependencyList } from './validate-dependency-list.ts';
import { validateEdges } from './validate-edges.ts';
import { validateFlow } from './validate-flow.ts';
import { validateMsu } from './validate-msu.ts';
import { validatePlacement } from './validate-placement.ts';
import { isSoundPort } from './validate-ports.ts';
import { validateSharedPools } from './validate-resources.ts';
import { type DeploymentSettings, validateSettings } from './validate-settings.ts';

/** What {@link validate} may know beside the app and its deployment. */
export interface ValidateOptions {
  /** Where the values of the deployment stand. Default: no places. */
  readonly placeOfPath?: PlaceOfPath;
  /** Cores of each machine, so that pins to others are found. Default 0: not known. */
  readonly cores?: number;
}

/** What there is of a deployment: a file with mistakes may have usable settings, but no usable machines. */
export interface DeploymentParts {
  readonly settings: DeploymentSettings | null;
  readonly machines: readonly DeploymentMachine[] | null;
  /** True: it names no machines, so that they will be derived. False with null: what it says of them is not usable. */
  readonly areMachinesDerived: boolean;
}

/** True if the value has the shape of an app. It may be full of mistakes, but {@link validate} can find them. */
export function isApp(value: unknown): value is App {
  const app = value as Partial<App> | null | undefined;
  return typeof app === 'object' && app !== null && Array.isArray(app.msus) && Array.isArray(app.edges);
}

/** Checks each type by itself. Returns the sound part of the first type of each name. */
function validateTypes(app: App, appPlace: Place, add: AddProblem): ReadonlyMap<string, AnyMsuType> {
  const declared = new Map<string, AnyMsuType>();
  for (const [index, msu] of app.msus.entries()) {
    if (!validateMsu(msu, index, appPlace, add)) continue;
    const name: unknown = msu.options.name;
    if (typeof name !== 'string') continue; // reported above
    const first = declared.get(name);
    if (first === msu) {
      add(appPlace, `Type "${name}" is listed twice in msus`, 'List it once');
    } else if (first !== undefined) {
      const { line } = placeOf(first);
      const other = line === 0 ? '' : `, the other one in line ${line}`;
      add(placeOf(msu), `Two types have the name ${show(name)}${other}`, 'Give one another name');
    } else {
      declared.set(name, msu);
    }
  }
  const names = [...declared.keys()];
  for (const msu of declared.values()) validateDependencyList(msu, names, add);
  validateSharedPools(declared.values(), add);
  return new Map(names.map((name) => [name, soundType(declared.get(name) as AnyMsuType)]));
}

function reportUnsoundEdges(app: App, appPlace: Place, add: AddProblem): void {
  for (const [index, edge] of app.edges.entries()) {
    if (isSoundEdge(edge)) continue;
    add(appPlace, `edges[${index}] is ${show(edge)}, not an edge`, 'Give what connect returned');
  }
}

function soundPortsOf<P>(ports: Readonly<Record<string, P>>): Record<string, P> {
  return Object.fromEntries(Object.entries(ports).filter(([, port]) => isSoundPort(port)));
}

/** The graph for placement alone: the types with the ports that are right. */
function placementGraph(sound: App): AppGraph {
  const bare = sound.msus.map((msu): AnyMsuType => {
    return { ...msu, in: soundPortsOf(msu.in), out: soundPortsOf(msu.out), timers: {} };
  });
  return describeApp({ name: sound.name, msus: bare, edges: [] });
}

/** As {@link validate}, for a deployment of which only parts are usable. */
export function validateParts(
  app: App,
  parts: DeploymentParts,
  options: ValidateOptions = {},
): readonly Problem[] {
  const problems: Problem[] = [];
  const add: AddProblem = (where, what, mend) => problems.push({ where, what, mend });
  const placeOfPath = options.placeOfPath ?? (() => unknownPlace);
  if (!isApp(app)) {
    add(placeOf(app), 'The app is not what defineApp makes of { name, msus, edges }', 'Use defineApp');
    return problems;
  }
  const appPlace = placeOf(app);
  if (!isName(app.name)) {
    add(
      appPlace,
      app.name === undefined ? 'The app has no name' : `The app has the name ${show(app.name)}`,
      nameMend,
    );
  }
  if (app.msus.length === 0) add(appPlace, 'The app has no MSU types', 'List them in msus');
  const msus = validateTypes(app, appPlace, add);
  reportUnsoundEdges(app, appPlace, add);
  const sound = soundApp(app, msus.values());
  validateEdges(sound, msus, add);
  validateFlow(sound, msus, appPlace, add);
  validateDependencies(sound, msus, parts.areMachinesDerived, add);
  if (parts.settings !== null) validateSettings(parts.settings, placeOfPath, add);
  if (parts.settings !== null && parts.machines !== null) {
    const { limits, spareThreads } = parts.settings;
    const graph = placementGraph(sound);
    const together = togetherWith(sound, msus);
    const { machines } = parts;
    const cores = options.cores ?? 0;
    validatePlacement(
      { app: sound, graph, together, machines, limits, spareThreads, cores },
      placeOfPath,
      add,
    );
  }
  return sortProblems(problems);
}

/**
 * Reports every mistake of an app, and of a deployment of it: in order of file, line and column; empty if there is
 * none. Never throws, whatever a plain JavaScript app contains.
 */
export function validate(app: App, deployment?: Deployment, options?: ValidateOptions): readonly Problem[] {
  const parts: DeploymentParts =
    deployment === undefined
      ? { settings: null, machines: null, areMachinesDerived: true }
      : { settings: deployment, machines: deployment.machines, areMachinesDerived: false };
  return validateParts(app, parts, options);
}

/** Throws {@link ShoalError} `SHOAL_INVALID_APP` with everything that {@link validate} finds, if it finds anything. */
export function requireValid(app: App, deployment?: Deployment, options?: ValidateOptions): void {
  const problems = validate(app, deployment, options);
  if (problems.length > 0) throw invalidApp(problems);
}
