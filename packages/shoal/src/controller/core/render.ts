/** Decisions as text for people: one line each, and the reasons for how many there are of a type. */
import type { Cause, Decision } from './decision.ts';
import type { Overload } from './detector.ts';
import type { ControllerView, InstanceFigures, TypeFigures } from './snapshot.ts';

const figure = (value: number, digits = 1): string =>
  Number.isFinite(value) ? value.toFixed(digits).replace(/\.0+$/, '') : '–';
const percent = (share: number): string => `${Math.round(100 * share)} %`;
const seconds = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${figure(ms / 1_000)} s`);

function describeOverload(overload: Overload): string {
  switch (overload.rule) {
    case 'persistent-queue': {
      const sure = overload.certainForMs >= 1 ? ` and ${seconds(overload.certainForMs)} more` : '';
      return `its queue on ${overload.process} was never empty for ${seconds(overload.queuedForMs)}${sure}`;
    }
    case 'limited-resource': {
      const uses = overload.processes.map(
        ({ process, used, limit, ownUse }) =>
          `${process}: ${percent(used / limit)} used, ${percent(ownUse / used)} of it by this type`,
      );
      return `it uses up ${overload.resource} (${uses.join('; ')})`;
    }
    case 'deadline': {
      const late = `p99 sojourn ${seconds(overload.sojournP99Ms)} against a deadline of ${seconds(overload.deadlineMs)}`;
      const ended = overload.completed + overload.expired;
      const expired = overload.expired > 0 ? `, ${overload.expired} of them expired` : '';
      return `${late}: ${overload.late} of ${ended} in ${seconds(overload.spanMs)} were late${expired}`;
    }
    case 'thread': {
      const where = `thread ${overload.threadId} of ${overload.process}`;
      return `${where} was ${percent(overload.cpuShare)} busy for ${seconds(overload.busyForMs)}, mostly with it`;
    }
  }
}

function describeCause(cause: Cause): string {
  switch (cause.kind) {
    case 'overload': {
      const { figures } = cause;
      const rates = `${figure(figures.arrivalsPerSecond)}/s arrive, one instance does ${figure(figures.trueRatePerSecond)}/s, ${figures.backlog} wait`;
      return `${describeOverload(cause.overload)}; ${rates}: wants ${figures.wanted}, has ${figures.count}`;
    }
    case 'calm':
      return `for ${seconds(cause.calmForMs)} ${cause.sufficient} would have done the work of ${cause.count} (demand ${figure(cause.demand, 2)})`;
    case 'right-sizing': {
      const { load, count, wanted, deviation, knownMs } = cause;
      return `over ${seconds(knownMs)} the load was ${figure(load, 2)}: wants ${wanted} (to ${figure(deviation, 2)}), has ${count}`;
    }
    case 'instance-lost':
      return `instance ${cause.instanceId} is lost: ${cause.detail}`;
    case 'below-count':
      return `there are ${cause.count} of ${cause.neededCount}`;
    case 'resumed':
      return cause.detail;
    case 'person':
      return 'ordered by a person';
  }
}

function describeAction(decision: Decision): string {
  const added = decision.placements
    .filter(({ isDependency }) => !isDependency)
    .map(({ msu, instanceId, machine, process }) => `${msu}#${instanceId} on ${machine}/${process}`);
  const along = decision.placements
    .filter(({ isDependency }) => isDependency)
    .map(({ msu, instanceId }) => `${msu}#${instanceId}`);
  const removed = decision.removes.map((id) => `#${id}`);
  const parts = [added.join(', '), along.length > 0 ? `with ${along.join(', ')}` : ''];
  if (removed.length > 0)
    parts.push(added.length > 0 ? `in place of ${removed.join(', ')}` : removed.join(', '));
  return parts.filter((part) => part !== '').join(' ');
}

function describeOutcome(decision: Decision): string {
  const { outcome, detail, servingAtMs, endedAtMs, atMs } = decision;
  const serving = servingAtMs === null ? '' : `serving after ${seconds(servingAtMs - atMs)}`;
  switch (outcome) {
    case 'running':
      return serving === '' ? 'under way' : `under way, ${serving}`;
    case 'done': {
      if (serving !== '') return serving;
      return endedAtMs === null ? 'done' : `done after ${seconds(endedAtMs - atMs)}`;
    }
    default:
      return `${outcome}: ${detail}`;
  }
}

/** One decision in one line: when, what, why, and what came of it. */
export function renderDecision(decision: Decision): string {
  const time = `${figure(decision.atMs / 1_000, 3)} s`;
  const action = describeAction(decision);
  const what = [decision.operator, decision.msu, action].filter((part) => part !== '').join(' ');
  return `${time} [${decision.id}] ${what}, because ${describeCause(decision.cause)} → ${describeOutcome(decision)}`;
}

function explainType(type: TypeFigures, decisions: readonly Decision[]): string[] {
  const clones = Math.max(0, type.serving - type.floor);
  const pending = type.pending > 0 ? `, ${type.pending} more on the way` : '';
  const lines = [
    `${type.msu}: ${type.serving} serving (${type.floor} from the start, ${clones} added since)${pending}.`,
    `Now ${figure(type.arrivalsPerSecond)}/s arrive and ${figure(type.completionsPerSecond)}/s end; ` +
      `one instance does ${figure(type.trueRatePerSecond)}/s. That is the work of ${figure(type.demand, 2)} instances ` +
      `(${figure(type.smoothedDemand, 2)} smoothed), ${percent(type.utilization)} of what there is; ${type.backlog} wait.`,
  ];
  if (type.isOverloaded) lines.push('It is overloaded.');
  if (type.blockedBy !== '') lines.push(`It is not cloned: ${type.blockedBy}. What is too much is shed.`);
  if (type.calmForMs !== null) {
    lines.push(
      `One less has sufficed for ${seconds(type.calmForMs)}; one is taken back after ${seconds(type.calmNeededMs)}.`,
    );
  }
  if (type.keptForLoad !== null) {
    const load = figure(type.keptForLoad, 2);
    lines.push(`They stay while the load is not clearly less than ${load}, for which they were made.`);
  }
  const own = decisions.filter(
    ({ msu, placements }) => msu === type.msu || placements.some((placement) => placement.msu === type.msu),
  );
  lines.push(own.length === 0 ? 'No decision has been about it.' : `The last decisions about it:`);
  for (const decision of own.slice(-8)) lines.push(`  ${renderDecision(decision)}`);
  return lines;
}

function explainInstance(instance: InstanceFigures, msu: string, decisions: readonly Decision[]): string[] {
  const origin = decisions.find(({ placements }) =>
    placements.some((p) => p.instanceId === instance.instanceId),
  );
  const p99 = instance.sojournP99Ms === null ? '' : `, p99 sojourn ${seconds(instance.sojournP99Ms)}`;
  const lines = [
    `${msu}#${instance.instanceId}: ${instance.isDraining ? 'draining' : instance.phase} on ` +
      `${instance.machine}/${instance.process}, thread ${instance.threadId}; ${instance.queueLength} wait, ` +
      `${figure(instance.completedPerSecond)}/s end, ${percent(instance.utilization)} busy${p99}.`,
    origin === undefined
      ? 'It runs since the start, or since before this controller.'
      : `It is there because of: ${renderDecision(origin)}`,
  ];
  const counted = Object.entries(instance.counters).map(([name, count]) => `${name} ${figure(count)}`);
  if (counted.length > 0) lines.push(`It has counted: ${counted.join(', ')}.`);
  const later = decisions.filter(({ removes }) => removes.includes(instance.instanceId));
  for (const decision of later) lines.push(`It is leaving because of: ${renderDecision(decision)}`);
  return lines;
}

/** Why a type has as many instances as it has, or why an instance is there, in sentences. */
export function explain(name: string, view: ControllerView, decisions: readonly Decision[]): string {
  const type = view.types.find(({ msu }) => msu === name);
  if (type !== undefined) return explainType(type, decisions).join('\n');
  const id = Number(/(\d+)$/.exec(name)?.[1] ?? Number.NaN);
  for (const { msu, instances } of view.types) {
    const instance = instances.find((other) => other.instanceId === id);
    const isMeant = /^#?\d+$/.test(name) || name === `${msu}#${id}`;
    if (instance !== undefined && isMeant) return explainInstance(instance, msu, decisions).join('\n');
  }
  const gone = decisions.filter(
    ({ removes, placements }) =>
      removes.some((other) => other === id) || placements.some((placement) => placement.instanceId === id),
  );
  if (gone.length > 0) return [`${name} is not there any more.`, ...gone.map(renderDecision)].join('\n');
  const known = view.types.map(({ msu }) => msu).join(', ');
  return `There is no type or instance ${name}. Types: ${known}. Instances are named by their number.`;
}
