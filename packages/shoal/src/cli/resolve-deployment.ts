/** An app and what its deployment file says in, a resolved deployment out, or everything that is wrong with them. */
import {
  type App,
  type Deployment,
  type DeploymentMachine,
  type DeploymentSettings,
  deriveDeployment,
  describeApp,
  type Limits,
  type PlaceOfPath,
  type Problem,
  placeOf,
  sortProblems,
  unknownPlace,
  validate,
  validateParts,
} from '../model/index.ts';

/** What a deployment file says. */
export interface DeploymentFile {
  /** What is wrong with its form. */
  readonly problems: readonly Problem[];
  /** Null: nothing of it could be understood. Absent options have their defaults. */
  readonly settings: DeploymentSettings | null;
  /** Null: it names none, or they could not be understood. */
  readonly machines: readonly DeploymentMachine[] | null;
  /** True if it names machines, or may do so in what could not be understood. */
  readonly hasMachines: boolean;
  /** Limits that it gives itself. */
  readonly givenLimits: Partial<Limits>;
  readonly placeOfPath: PlaceOfPath;
}

const namesOfProcesses = (machines: readonly DeploymentMachine[]): string =>
  machines.flatMap((machine) => machine.processes.map(({ name }) => `${machine.name}/${name}`)).join(', ');

/** What `shoal run` cannot start: it is one process on one machine. */
function severalProcesses(machines: readonly DeploymentMachine[], placeOfPath: PlaceOfPath): Problem[] {
  const paths = machines.flatMap((machine, m) =>
    machine.processes.map((_, p) => ['machines', m, 'processes', p]),
  );
  const [, second] = paths;
  if (second === undefined) return [];
  const what = `The deployment has ${paths.length} processes (${namesOfProcesses(machines)}), but \`shoal run\` starts one process on one machine`;
  return [{ where: placeOfPath(second), what, mend: 'Put all threads into one process' }];
}

/** The same of a deployment that is derived: it has several machines where types name several. */
function severalDerived(app: App, machines: readonly DeploymentMachine[]): Problem[] {
  if (machines.length < 2) return [];
  const naming = app.msus.find((msu) => (msu.options.machines ?? []).length > 0);
  const what = `The types name ${machines.length} machines (${machines.map(({ name }) => name).join(', ')}), but \`shoal run\` starts one process on one machine`;
  const mend = 'Let all types name the same one, or none';
  return [{ where: naming === undefined ? unknownPlace : placeOf(naming), what, mend }];
}

/** A resolved deployment, or what is wrong with it and its app; exactly one of them is there. */
export type Resolution =
  | { readonly deployment: Deployment; readonly problems: readonly [] }
  | { readonly deployment: null; readonly problems: readonly Problem[] };

/**
 * Checks an app with its deployment file (null: none is given), and resolves the deployment: what the file does not
 * say is derived. `cores`: of this machine; only a deployment with one machine is checked against it.
 */
export function resolveDeployment(app: App, file: DeploymentFile | null, cores: number): Resolution {
  const placeOfPath = file?.placeOfPath ?? (() => unknownPlace);
  const machines = file?.machines ?? null;
  const settings = file?.settings ?? null;
  const areMachinesDerived = file === null || !file.hasMachines;
  const ofOneMachine = { placeOfPath, cores: (machines?.length ?? 1) === 1 ? cores : 0 };
  const found = [
    ...(file?.problems ?? []),
    ...validateParts(app, { settings, machines, areMachinesDerived }, ofOneMachine),
    ...(machines === null ? [] : severalProcesses(machines, placeOfPath)),
  ];
  if (found.length > 0) return { deployment: null, problems: sortProblems(found) };
  const graph = describeApp(app);
  const derived = deriveDeployment(graph, { cores });
  const base = settings === null ? derived : { ...settings, name: settings.name || graph.name };
  const deployment: Deployment =
    machines !== null
      ? { ...base, machines }
      : { ...base, machines: derived.machines, limits: { ...derived.limits, ...file?.givenLimits } };
  // A file that lowers limits can make what is derived impossible.
  const problems = [
    ...validate(app, deployment, ofOneMachine),
    ...(machines === null ? severalDerived(app, deployment.machines) : []),
  ];
  return problems.length > 0 ? { deployment: null, problems } : { deployment, problems: [] };
}
