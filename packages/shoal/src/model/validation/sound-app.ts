/**
 * The part of an app whose shape can be relied upon, for the steps that look at the app as a whole. What is left out
 * here is reported by the steps that look at one type or edge each.
 */
import type { AnyMsuType, App, Edge } from '../app.ts';
import { executionKinds, type MsuOptions, queueOrders, stateKinds } from '../msu.ts';
import { copyPlace } from '../place.ts';
import { isRecord } from './checks.ts';

type Raw = Readonly<Record<string, unknown>>;

const numberOr = <T>(value: unknown, otherwise: T): number | T =>
  typeof value === 'number' && !Number.isNaN(value) ? value : otherwise;
const oneOf = <T>(value: unknown, choices: readonly T[], otherwise: T): T =>
  choices.includes(value as T) ? (value as T) : otherwise;
const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

function soundInstances(value: unknown): NonNullable<MsuOptions['instances']> {
  if (!isRecord(value)) return {};
  const kept = ['initial', 'min', 'max'].filter((name) => numberOr(value[name], null) !== null);
  return Object.fromEntries(kept.map((name) => [name, value[name]]));
}

function soundOptions(o: Raw): MsuOptions {
  return {
    name: typeof o.name === 'string' ? o.name : '',
    state: oneOf(o.state, stateKinds, 'none'),
    execution: oneOf(o.execution, executionKinds, 'sync'),
    order: oneOf(o.order, queueOrders, 'fifo'),
    concurrency: numberOr(o.concurrency, 1),
    deadlineMs: numberOr(o.deadlineMs, 0),
    runLimitMs: numberOr(o.runLimitMs, 0),
    queueMaxMessages: numberOr(o.queueMaxMessages, 0),
    queueMaxWorkMs: numberOr(o.queueMaxWorkMs, 0),
    instances: soundInstances(o.instances),
    machines: strings(o.machines),
    colocation: typeof o.colocation === 'string' ? o.colocation : '',
    dependencies: (Array.isArray(o.dependencies) ? o.dependencies : []).filter(
      (d) => isRecord(d) && typeof d.msu === 'string' && (d.locality === 'local' || d.locality === 'remote'),
    ),
    ...(typeof o.entry === 'boolean' ? { entry: o.entry } : {}),
    ...(typeof o.exit === 'boolean' ? { exit: o.exit } : {}),
  };
}

function soundGroup(value: unknown): Record<string, never> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, item]) => isRecord(item))) as Record<
    string,
    never
  >;
}

/** Ports that are objects, each with a kind that is a string, if not one that exists. */
function soundPorts(value: unknown): Record<string, never> {
  const ports: [string, { readonly kind: unknown }][] = Object.entries(soundGroup(value));
  const sound = ports.map(([name, port]) => [
    name,
    typeof port.kind === 'string' ? port : { ...port, kind: '' },
  ]);
  return Object.fromEntries(sound) as Record<string, never>;
}

/** The type with sound options, and without ports and timers that are not even objects. */
export function soundType(msu: AnyMsuType): AnyMsuType {
  const raw = msu as unknown as Raw;
  const sound: AnyMsuType = {
    options: soundOptions(raw.options as Raw),
    in: soundPorts(raw.in),
    out: soundPorts(raw.out),
    timers: soundGroup(raw.timers),
    create: msu.create,
  };
  return copyPlace(msu, sound);
}

/** True if the edge names its ends, whatever they are. */
export function isSoundEdge(edge: unknown): edge is Edge {
  const isEnd = (end: unknown): boolean =>
    isRecord(end) && typeof end.msu === 'string' && typeof end.port === 'string';
  return isRecord(edge) && isEnd(edge.from) && isEnd(edge.to);
}

/** The app with the given types, and with the edges that name their ends. */
export function soundApp(app: App, msus: Iterable<AnyMsuType>): App {
  const name = typeof app.name === 'string' ? app.name : '';
  return copyPlace(app, { name, msus: [...msus], edges: app.edges.filter(isSoundEdge) });
}
