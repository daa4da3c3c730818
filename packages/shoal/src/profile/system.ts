import { ProfileError, type ProfileProblem } from './errors.ts';
import { type Exact, equal } from './exact.ts';
import { directNetwork, type Network, routeKey } from './network-text.ts';
import { latencyOf, type ProfileLines, type ProfilePlace, type TrafficProfile } from './profile.ts';

/** Profiles and the network that joins them: what {@link analyze} analyses. */
export interface SystemInput {
  /** Profiles of all three kinds, in any order. */
  readonly profiles: readonly TrafficProfile[];
  /** Default: every node reaches every other one directly, without multicast. */
  readonly network?: Network | undefined;
  /** Where profiles were read, so that messages can say it. */
  readonly places?: ReadonlyMap<TrafficProfile, ProfilePlace> | undefined;
}

/** One flow crossing one node's link. */
export interface TransmitterPlan {
  readonly node: string;
  readonly sender: TrafficProfile;
  /** The transmission whose output arrives here, or `undefined` at the sender's own node. */
  readonly from: TransmitterPlan | undefined;
}

/** One receiver profile and all that is sent to it. */
export interface ReceiverPlan {
  readonly profile: TrafficProfile;
}

/** One sender and one of its receivers. */
export interface BranchPlan {
  readonly sender: TrafficProfile;
  readonly route: readonly string[];
  /** In order along the route; with multicast some belong to an earlier branch as well. */
  readonly transmitters: readonly TransmitterPlan[];
  /** `undefined` for a sender without receivers: only its own node's link is analysed. */
  readonly receiver: ReceiverPlan | undefined;
}

/** A checked system, its work in the order in which it has to be done: by priority, then along the routes. */
export interface SystemPlan {
  readonly branches: readonly BranchPlan[];
  /** Each once, in an order in which every transmission comes after those that it depends on. */
  readonly transmitters: readonly TransmitterPlan[];
  readonly receivers: readonly ReceiverPlan[];
  /** Node → its provided profiles, which add up. */
  readonly provided: ReadonlyMap<string, readonly TrafficProfile[]>;
  readonly warnings: readonly string[];
}

/** Notes a problem, at a field of the profile that is to blame. */
type Report = (message: string, profile?: TrafficProfile, field?: keyof ProfileLines) => void;

function label(profile: TrafficProfile): string {
  const flow = profile.flow === undefined ? '' : ` of flow ${profile.flow}`;
  return `${profile.name}${profile.name === profile.flow ? '' : flow}`;
}

/**
 * Matches senders to receivers, finds their routes and orders the work. Throws a {@link ProfileError} that lists all
 * of: no sender, no route, a transmitting node without a provided profile, two flows of one priority on a link, two
 * receiver profiles for one flow on one node, provided profiles of one node whose latencies differ.
 */
export function planSystem({ profiles, network = directNetwork, places }: SystemInput): SystemPlan {
  const problems: ProfileProblem[] = [];
  const report: Report = (message, profile, field) => {
    const place = profile === undefined ? undefined : places?.get(profile);
    const line = field === undefined ? undefined : (place?.lines[field] ?? place?.lines.profile);
    problems.push({ source: place?.source ?? 'system', message, ...(line === undefined ? {} : { line }) });
  };
  const warnings = network.warnings.map(({ line, message }) => `${network.source}:${line}: ${message}`);
  const senders = profiles
    .filter((profile) => profile.kind === 'required')
    .sort((a, b) => a.priority - b.priority);
  if (senders.length === 0) report('no required profile: nothing is sent.');
  const receivers = collectReceivers(profiles, report);
  const provided = collectProvided(profiles, report);
  const branches: BranchPlan[] = [];
  const transmitters: TransmitterPlan[] = [];
  const used = new Set<ReceiverPlan>();
  for (const sender of senders) {
    const targets = receivers.filter((receiver) => receiver.profile.flow === sender.flow);
    if (targets.length === 0) {
      warnings.push(
        `${label(sender)} has no receiver: only the link of its own node ${sender.node} is analysed.`,
      );
    }
    const multicast = new Map<string, TransmitterPlan>();
    for (const receiver of targets.length === 0 ? [undefined] : targets) {
      const route = receiver === undefined ? [sender.node] : findRoute(network, sender, receiver, report);
      if (route === undefined) continue;
      const own: TransmitterPlan[] = [];
      for (const node of receiver === undefined ? route : route.slice(0, -1)) {
        let plan = network.multicast ? multicast.get(node) : undefined;
        if (plan === undefined) {
          plan = { node, sender, from: own[own.length - 1] };
          transmitters.push(plan);
          multicast.set(node, plan);
        }
        own.splice(0, own.length, ...waysTo(plan));
      }
      if (receiver === undefined) {
        branches.push({ sender, route, transmitters: own, receiver });
        continue;
      }
      used.add(receiver);
      const taken = [...own.map(({ node }) => node), receiver.profile.node];
      if (taken.join() !== route.join()) {
        warnings.push(
          `with multicast a node sends ${label(sender)} once, so ${receiver.profile.node} gets it by ${taken.join(', ')}, ` +
            `not by its route ${route.join(', ')}: make the routes of one flow part only where they branch.`,
        );
      }
      branches.push({ sender, route: taken, transmitters: own, receiver });
    }
  }
  checkTransmitters(transmitters, provided, places, report);
  for (const receiver of receivers) {
    if (!used.has(receiver))
      warnings.push(
        `the receiver ${label(receiver.profile)} at node ${receiver.profile.node} has no sender.`,
      );
  }
  if (problems.length > 0) throw new ProfileError(problems);
  return { branches, transmitters, receivers: [...used], provided, warnings };
}

/** The transmissions by which data gets to this one, in order, and this one. */
function waysTo(plan: TransmitterPlan): TransmitterPlan[] {
  return plan.from === undefined ? [plan] : [...waysTo(plan.from), plan];
}

function collectReceivers(profiles: readonly TrafficProfile[], report: Report): ReceiverPlan[] {
  const seen = new Set<string>();
  const receivers: ReceiverPlan[] = [];
  for (const profile of profiles) {
    if (profile.kind !== 'receiver') continue;
    const key = JSON.stringify([profile.node, profile.flow]);
    if (seen.has(key)) {
      report(
        `node ${profile.node} has two receiver profiles for flow ${profile.flow ?? '(none)'}: keep one.`,
        profile,
        'node',
      );
    }
    seen.add(key);
    receivers.push({ profile });
  }
  return receivers;
}

function collectProvided(profiles: readonly TrafficProfile[], report: Report): Map<string, TrafficProfile[]> {
  const provided = new Map<string, TrafficProfile[]>();
  for (const profile of profiles) {
    if (profile.kind !== 'provided') continue;
    const list = provided.get(profile.node) ?? [];
    if (list.length > 0 && !sameLatency(list[0]!, profile)) {
      report(
        `the provided profiles ${list[0]!.name} and ${profile.name} of node ${profile.node} differ in latency: they add up to one link, which has one latency; make the columns equal.`,
        profile,
        'node',
      );
    }
    list.push(profile);
    provided.set(profile.node, list);
  }
  return provided;
}

function sameLatency(a: TrafficProfile, b: TrafficProfile): boolean {
  const [x, y] = [latencyOf(a), latencyOf(b)];
  const same = (left: readonly Exact[], right: readonly Exact[]): boolean =>
    left.length === right.length && left.every((value, index) => equal(value, right[index]!));
  return (
    same(x.values, y.values) && same(x.times, y.times) && (x.times.length === 1 || equal(x.period, y.period))
  );
}

/** A direct link is taken before a route, as in the published tool. */
function findRoute(
  network: Network,
  sender: TrafficProfile,
  receiver: ReceiverPlan,
  report: Report,
): readonly string[] | undefined {
  const [from, to] = [sender.node, receiver.profile.node];
  if (from === to) return [from];
  if (network.neighbours === undefined || network.neighbours.get(from)?.includes(to)) return [from, to];
  const route = network.routes.get(routeKey(from, to));
  if (route === undefined) {
    report(
      `no route from ${from} to ${to} for ${label(sender)}: write \`topology: ${from} : ${to}\` if they are joined ` +
        `directly, else \`route: ${from}, …, ${to}\` in ${network.source}.`,
      sender,
      'node',
    );
  }
  return route;
}

function checkTransmitters(
  transmitters: readonly TransmitterPlan[],
  provided: ReadonlyMap<string, readonly TrafficProfile[]>,
  places: SystemInput['places'],
  report: Report,
): void {
  const missing = new Set<string>();
  const sharing = new Set<string>();
  const byLink = new Map<string, TrafficProfile>();
  for (const { node, sender } of transmitters) {
    if (!provided.has(node) && !missing.has(node)) {
      missing.add(node);
      report(
        `node ${node} transmits ${label(sender)} but has no provided profile: write one with \`# node ID = ${node}\`.`,
        sender,
        'node',
      );
    }
    const key = JSON.stringify([node, sender.priority]);
    const other = byLink.get(key);
    if (other === undefined) {
      byLink.set(key, sender);
    } else if (other !== sender && !sharing.has(key)) {
      sharing.add(key);
      const source = places?.get(other)?.source;
      report(
        `${label(other)}${source === undefined ? '' : ` (${source})`} and ${label(sender)} both have priority ${sender.priority} on the link of node ${node}: give each flow there a priority of its own.`,
        sender,
        'priority',
      );
    }
  }
}
