/** What can be wrong with edges: names, directions, kinds, message types, routing, and ports left unconnected. */
import type { AnyMsuType, App, Edge, RoutingPolicy } from '../app.ts';
import type { MessageType } from '../message-type.ts';
import type { StateKind } from '../msu.ts';
import { type Place, placeOf } from '../place.ts';
import type { InPort, OutPort } from '../port.ts';
import { type AddProblem, andList, orList, show } from '../problem.ts';
import { suggest } from './names.ts';
import { isSoundPort } from './validate-ports.ts';

/** Every routing policy; the type makes it complete. */
const allPolicies: Readonly<Record<RoutingPolicy, true>> = {
  'shortest-queue': true,
  keyed: true,
  'round-robin': true,
  'same-process': true,
  'same-machine-as-origin': true,
  'same-instance': true,
  explicit: true,
  all: true,
};
/** Every {@link RoutingPolicy}. */
export const routingPolicies: readonly RoutingPolicy[] = Object.keys(allPolicies) as RoutingPolicy[];

/** Policies that are right for a receiving type of this state kind. */
export const legalRouting: Readonly<Record<StateKind, readonly RoutingPolicy[]>> = {
  none: routingPolicies,
  instance: routingPolicies,
  // Any other policy would bring a key to an instance that does not hold its state.
  keyed: ['keyed', 'same-instance', 'explicit', 'all'],
  // What a pinned instance holds is reached on its process, by key, or by name.
  pinned: ['same-process', 'same-machine-as-origin', 'same-instance', 'keyed', 'explicit', 'all'],
};

/** Policies that keep a message on its process, as a file descriptor must. */
const withinProcess: readonly RoutingPolicy[] = ['same-process', 'same-instance', 'explicit'];

const partnerOf = { sends: 'receives', publishes: 'receives', requests: 'serves' } as const;

function describeMessage(message: MessageType<unknown>): string {
  if (message.kind !== 'record') return message.kind;
  const fields = Object.entries(message.fields ?? {}).map(([name, kind]) => `${name}: ${kind}`);
  return `record { ${fields.join(', ')} }`;
}

function sameMessage(a: MessageType<unknown>, b: MessageType<unknown>): boolean {
  return describeMessage(a) === describeMessage(b);
}

type FoundEnd = { readonly msu: AnyMsuType; readonly port: InPort | OutPort };

/** Finds one end of an edge, or reports why there is none. */
function findEnd(
  edge: Edge,
  side: 'from' | 'to',
  msus: ReadonlyMap<string, AnyMsuType>,
  where: Place,
  add: AddProblem,
): FoundEnd | null {
  const { msu: msuName, port: portName } = edge[side];
  const wanted = side === 'from' ? 'out' : 'in';
  if (msuName === '' && portName === '') {
    const article = side === 'from' ? 'an out-port' : 'an in-port';
    const what = `connect() was given ${article} that does not exist`;
    add(where, what, 'Check the name of the port in the code of this line');
    return null;
  }
  const msu = msus.get(msuName);
  if (msu === undefined) {
    const what = `An edge ${side === 'from' ? 'starts at' : 'ends at'} type "${msuName}", which is not in the app`;
    const names = [...msus.keys()];
    add(where, what, suggest(msuName, names.length > 3 ? [] : names, 'Add the type to msus'));
    return null;
  }
  const ports = msu[wanted] as Readonly<Record<string, InPort | OutPort>>;
  const port = Object.hasOwn(ports, portName) ? ports[portName] : undefined;
  if (port !== undefined) return { msu, port };
  const others = msu[wanted === 'in' ? 'out' : 'in'] as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(others, portName)) {
    const what = `An edge ${side === 'from' ? 'starts at the in-port' : 'ends at the out-port'} "${msuName}.${portName}"`;
    add(where, what, 'Connect an out-port to an in-port: connect(a.out.x, b.in.y)');
  } else {
    const what = `Type "${msuName}" has no ${wanted}-port "${portName}"`;
    add(where, what, suggest(portName, Object.keys(ports), `Declare it in "${wanted}" of the type`));
  }
  return null;
}

function checkKinds(name: string, from: OutPort, to: InPort, where: Place, add: AddProblem): void {
  if (!isSoundPort(from) || !isSoundPort(to)) return; // reported with their types
  const partner = partnerOf[from.kind];
  if (to.kind !== partner) {
    const what = `${name} connects a ${from.kind} port to a ${to.kind} port`;
    add(where, what, `Use a ${partner} port at its end`);
    return;
  }
  if (!sameMessage(from.message, to.message)) {
    const what = `${name} connects ${describeMessage(from.message)} to ${describeMessage(to.message)}`;
    add(where, what, 'Use one message type for both ports');
  }
  if (from.kind === 'requests' && to.kind === 'serves' && !sameMessage(from.reply, to.reply)) {
    const what = `${name} expects the reply ${describeMessage(from.reply)}, but gets ${describeMessage(to.reply)}`;
    add(where, what, 'Use one reply type for both ports');
  }
}

function checkRouting(
  name: string,
  edge: Edge,
  from: OutPort,
  to: FoundEnd,
  where: Place,
  add: AddProblem,
): void {
  const { routing } = edge;
  const state = to.msu.options.state ?? 'none';
  const legal = legalRouting[state];
  if (legal === undefined) return; // reported with the type
  const isConnection = from.message?.kind === 'connection';
  if (routing === 'default') {
    if (isConnection && state !== 'pinned') {
      const what = `${name} carries connections to type "${edge.to.msu}" with state "${state}", whose default routing may leave the process`;
      add(where, what, 'Use state: "pinned" for the type, or routing: "same-process"');
    }
    return;
  }
  if (!routingPolicies.includes(routing)) {
    const mend =
      typeof routing === 'string' ? suggest(routing, routingPolicies, '') : 'Name a routing policy';
    add(where, `${name} has the routing ${show(routing)}`, mend);
  } else if (!legal.includes(routing)) {
    const what = `${name} has the routing "${routing}", which loses the state of type "${edge.to.msu}" (state "${state}")`;
    add(where, what, `Use ${orList(legal.map((policy) => `"${policy}"`))}, or leave routing out`);
  } else if (routing === 'all' && from.kind !== 'publishes') {
    const what = `${name} has the routing "all", but its ${from.kind} port sends each message to one instance`;
    add(where, what, 'Use a publishes port, or another routing');
  } else if (isConnection && !withinProcess.includes(routing)) {
    const what = `${name} carries connections, which cannot leave their process, with the routing "${routing}"`;
    add(where, what, `Use ${orList(withinProcess.map((policy) => `"${policy}"`))}`);
  }
}

/** Reports out-ports that lead nowhere or to several types, and in-ports that nothing feeds. */
function checkPortsUsed(
  msus: readonly AnyMsuType[],
  edgesOf: ReadonlyMap<string, readonly Edge[]>,
  fed: ReadonlySet<string>,
  add: AddProblem,
): void {
  for (const msu of msus) {
    const name = msu.options.name;
    const outPorts: [string, OutPort][] = Object.entries(msu.out);
    for (const [port, declared] of outPorts) {
      const edges = edgesOf.get(`${name}.${port}`) ?? [];
      if (!Object.hasOwn(partnerOf, declared.kind)) continue; // reported with its type
      if (edges.length === 0) {
        const what = `Out-port "${name}.${port}" is connected to nothing`;
        add(placeOf(msu), what, 'Connect it in edges of defineApp, or remove it');
      }
      const targets = [...new Set(edges.map((edge) => `${edge.to.msu}.${edge.to.port}`))].filter(
        (target) => target !== '.',
      );
      if (targets.length > 1 && declared.kind !== 'publishes') {
        const list = andList(targets.map((target) => `"${target}"`));
        const what = `Out-port "${name}.${port}" is connected to ${list}, but a ${declared.kind} port has one destination`;
        add(placeOf(edges[1]), what, 'Use a publishes port, or one out-port for each destination');
      }
    }
    const isEntry = msu.options.entry === true;
    for (const port of Object.keys(msu.in)) {
      if (fed.has(`${name}.${port}`) || isEntry) continue;
      const what = `In-port "${name}.${port}" is never fed`;
      add(placeOf(msu), what, 'Connect an out-port to it, remove it, or declare entry: true');
    }
  }
}

/** Reports what is wrong with the edges of an app. `msus` holds the first type of each name. */
export function validateEdges(app: App, msus: ReadonlyMap<string, AnyMsuType>, add: AddProblem): void {
  const edgesOf = new Map<string, Edge[]>();
  const fed = new Set<string>();
  const seen = new Set<string>();
  for (const edge of app.edges) {
    const where = placeOf(edge);
    const name = `Edge "${edge.from.msu}.${edge.from.port}" → "${edge.to.msu}.${edge.to.port}"`;
    const from = findEnd(edge, 'from', msus, where, add);
    const to = findEnd(edge, 'to', msus, where, add);
    const fromPort = `${edge.from.msu}.${edge.from.port}`;
    const outEdges = edgesOf.get(fromPort);
    if (outEdges === undefined) edgesOf.set(fromPort, [edge]);
    else outEdges.push(edge);
    fed.add(`${edge.to.msu}.${edge.to.port}`);
    if (from === null || to === null) continue;
    if (seen.has(name)) add(where, `${name} is there twice`, 'Remove one');
    seen.add(name);
    checkKinds(name, from.port as OutPort, to.port as InPort, where, add);
    checkRouting(name, edge, from.port as OutPort, to, where, add);
  }
  checkPortsUsed([...msus.values()], edgesOf, fed, add);
}
