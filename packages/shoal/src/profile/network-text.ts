import { ProfileError, type ProfileProblem } from './errors.ts';
import { profileTextMaxCharacters } from './profile-text.ts';

/** Which nodes can send to which, and by which nodes data goes where no direct link exists. */
export interface Network {
  /** A node transmits a flow once for all of its receivers. Default false: once for each. */
  readonly multicast: boolean;
  /** Node → the nodes that it reaches directly. `undefined`: every node reaches every other one. */
  readonly neighbours: ReadonlyMap<string, readonly string[]> | undefined;
  /** `from → to` → the nodes of the route, both ends included. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  /** For messages. */
  readonly source: string;
  readonly warnings: readonly ProfileProblem[];
}

/** A network in which every node reaches every other one directly. */
export const directNetwork: Network = {
  multicast: false,
  neighbours: undefined,
  routes: new Map(),
  source: 'network',
  warnings: [],
};

/** The key of a route in {@link Network.routes}. */
export function routeKey(from: string, to: string): string {
  return JSON.stringify([from, to]);
}

/**
 * Reads the network configuration of the published tools: `# multicast = true|false`, `topology: node : direct, …`,
 * `route: from, hop, …, to`. Lines with `%` and empty lines are ignored, `retransmit` and `mtu` too, as they have no
 * effect. Throws a {@link ProfileError} with line numbers.
 */
export function readNetworkText(text: string, source: string): Network {
  if (text.length > profileTextMaxCharacters) {
    throw new ProfileError([{ source, message: `longer than ${profileTextMaxCharacters} characters.` }]);
  }
  const problems: ProfileProblem[] = [];
  const warnings: ProfileProblem[] = [];
  const neighbours = new Map<string, string[]>();
  const routes = new Map<string, string[]>();
  const routeLines: [string[], number][] = [];
  let multicast = false;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.trim();
    const report = (message: string): void => void problems.push({ source, line, message });
    if (content === '' || content.includes('%')) continue;
    if (content.includes('#')) {
      const [property = '', value = ''] = content.slice(content.indexOf('#') + 1).split('=');
      const setting = property.trim().toLowerCase();
      if (!content.includes('=') || setting === 'mtu' || setting === 'retransmit') continue;
      if (setting === 'multicast') {
        const flag = value.trim().toLowerCase();
        if (flag !== 'true' && flag !== 'false')
          report(`multicast is \`${value.trim()}\`: write true or false.`);
        multicast = flag === 'true';
      } else {
        const message = `unknown header \`${property.trim()}\` was ignored; known are multicast, retransmit, mtu.`;
        warnings.push({ source, line, message });
      }
    } else if (/^topology\s*:/.test(content)) {
      readTopology(content, neighbours, report);
    } else if (/^route\s*:/.test(content)) {
      const nodes = names(content.slice(content.indexOf(':') + 1));
      if (nodes.length < 2) report('a route has at least two nodes: write `route: from, hop, to`.');
      else if (new Set(nodes).size < nodes.length)
        report(`the route visits a node twice: ${nodes.join(', ')}.`);
      else if (routes.has(routeKey(nodes[0]!, nodes[nodes.length - 1]!))) {
        report(`a second route from ${nodes[0]} to ${nodes[nodes.length - 1]}: keep one.`);
      } else {
        routes.set(routeKey(nodes[0]!, nodes[nodes.length - 1]!), nodes);
        routeLines.push([nodes, line]);
      }
    } else {
      report(
        `cannot read \`${content.slice(0, 60)}\`: write \`topology: node : direct, …\` or \`route: from, hop, to\`.`,
      );
    }
  }
  for (const [nodes, line] of routeLines) checkRoute(nodes, neighbours, line, source, warnings);
  if (problems.length > 0) throw new ProfileError(problems);
  return { multicast, neighbours, routes, source, warnings };
}

function names(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function readTopology(
  content: string,
  neighbours: Map<string, string[]>,
  report: (message: string) => void,
): void {
  const [, node = '', direct] = content.split(':').map((part) => part.trim());
  if (node === '' || direct === undefined || content.split(':').length !== 3) {
    report('write `topology: node : direct, …`.');
    return;
  }
  neighbours.set(node, [...(neighbours.get(node) ?? []), ...names(direct)]);
}

function checkRoute(
  nodes: readonly string[],
  neighbours: ReadonlyMap<string, readonly string[]>,
  line: number,
  source: string,
  warnings: ProfileProblem[],
): void {
  for (let i = 0; i + 1 < nodes.length; i += 1) {
    const [from, to] = [nodes[i]!, nodes[i + 1]!];
    if (neighbours.get(from)?.includes(to)) continue;
    const message =
      `the route goes from ${from} to ${to}, which the topology does not connect: ` +
      `write \`topology: ${from} : ${[...(neighbours.get(from) ?? []), to].join(', ')}\` or change the route.`;
    warnings.push({ source, line, message });
  }
}
