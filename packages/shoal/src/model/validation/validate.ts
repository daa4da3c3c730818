/** Finds every mistake of an app and its deployment at once. Pure: the places are found by who made the values. */
import type { AnyMsuType, App } from '../app.ts';
import type { Deployment, DeploymentMachine } from '../deployment.ts';
import { type AppGraph, describeApp } from '../graph.ts';
import { type Place, placeOf, unknownPlace } from '../place.ts';
import { type AddProblem, invalidApp, type Problem, show, sortProblems } from '../problem.ts';
import { isName, nameMend } from './names.ts';
import type { PlaceOfPath } from './place-of-path.ts';
import { togetherWith, validateDependencies } from './validate-dependencies.ts';
import { validateEdges } from './validate-edges.ts';
import { validateFlow } from './validate-flow.ts';
import { validateMsu } from './validate-msu.ts';
import { validatePlacement } from './validate-placement.ts';
import { type DeploymentSettings, validateSettings } from './validate-settings.ts';

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
}

/** True if the value has the shape of an app. It may be full of mistakes, but {@link validate} can find them. */
export function isApp(value: unknown): value is App {
  const app = value as Partial<App> | null | undefined;
  return typeof app === 'object' && app !== null && Array.isArray(app.msus) && Array.isArray(app.edges);
}

function validateTypes(app: App, appPlace: Place, add: AddProblem): ReadonlyMap<string, AnyMsuType> {
  const msus = new Map<string, AnyMsuType>();
  for (const [index, msu] of app.msus.entries()) {
    if (!validateMsu(msu, index, appPlace, add)) continue;
    const { name } = msu.options;
    const first = msus.get(name);
    if (first === msu) {
      add(appPlace, `Type "${name}" is listed twice in msus`, 'List it once');
    } else if (first !== undefined) {
      const { line } = placeOf(first);
      const other = line === 0 ? '' : `, the other one in line ${line}`;
      add(placeOf(msu), `Two types have the name ${show(name)}${other}`, 'Give one another name');
    } else {
      msus.set(name, msu);
    }
  }
  return msus;
}

/** The graph for placement alone: without ports, and without options that are not even of the right shape. */
function placementGraph(app: App, msus: ReadonlyMap<string, AnyMsuType>): AppGraph {
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
  const bare = [...msus.values()].map((msu): AnyMsuType => {
    const { machines, instances, cost: _cost, restart: _restart, ...rest } = msu.options;
    const sound = {
      ...rest,
      ...(Array.isArray(machines) ? { machines } : {}),
      ...(isObject(instances) && instances !== undefined ? { instances } : {}),
    };
    return { options: sound, in: {}, out: {}, timers: {}, create: msu.create };
  });
  return describeApp({ name: app.name, msus: bare, edges: [] });
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
  validateEdges(app, msus, add);
  validateFlow(app, msus, appPlace, add);
  validateDependencies(app, msus, parts.machines === null, add);
  if (parts.settings !== null) validateSettings(parts.settings, placeOfPath, add);
  if (parts.settings !== null && parts.machines !== null) {
    const { limits, spareThreads } = parts.settings;
    const graph = placementGraph(app, msus);
    const together = togetherWith(app, msus);
    const { machines } = parts;
    const cores = options.cores ?? 0;
    validatePlacement({ app, graph, together, machines, limits, spareThreads, cores }, placeOfPath, add);
  }
  return sortProblems(problems);
}

/**
 * Reports every mistake of an app, and of a deployment of it: in order of file, line and column; empty if there is
 * none. Never throws, whatever a plain JavaScript app contains.
 */
export function validate(app: App, deployment?: Deployment, options?: ValidateOptions): readonly Problem[] {
  const parts =
    deployment === undefined
      ? { settings: null, machines: null }
      : { settings: deployment, machines: deployment.machines };
  return validateParts(app, parts, options);
}

/** Throws {@link ShoalError} `SHOAL_INVALID_APP` with everything that {@link validate} finds, if it finds anything. */
export function requireValid(app: App, deployment?: Deployment, options?: ValidateOptions): void {
  const problems = validate(app, deployment, options);
  if (problems.length > 0) throw invalidApp(problems);
}
