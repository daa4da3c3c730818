import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { ProfileError, type ProfileProblem } from './errors.ts';
import { type Exact, formatExact, less, parseExact, sign, subtract } from './exact.ts';
import { formatBits, formatSeconds } from './format.ts';
import type { AnalysisResult, FlowResult, HopResult, HopRole } from './result.ts';

/** What a flow was promised at one place, or at all of its places, or from end to end. */
export interface Allotment {
  /** Name or flow of the sender's profile. */
  readonly flow: string;
  /** Default: every node of the route. */
  readonly node: string | undefined;
  /** Default: both. */
  readonly role: HopRole | undefined;
  /** Bits of buffer at each place meant; `undefined`: any number. */
  readonly bufferBits: Exact | undefined;
  /** Acceptable delay at each place meant, in seconds; `undefined`: any. */
  readonly delaySeconds: Exact | undefined;
  /** Acceptable delay from the sender to the end of the route, in seconds; `undefined`: any. */
  readonly endToEndDelaySeconds: Exact | undefined;
}

const fields = ['flow', 'node', 'role', 'bufferBits', 'delaySeconds', 'endToEndDelaySeconds'];
/** Most allotments in a file. */
const allotmentMaxCount = 1_000_000;

/**
 * Reads allotments from YAML or JSON: a list, or a map with `allotments:`, of maps with `flow` and any of `node`,
 * `role` (`transmitter` or `receiver`), `bufferBits`, `delaySeconds`, `endToEndDelaySeconds`. Throws a
 * {@link ProfileError} with line numbers.
 */
export function readAllotments(text: string, source: string): Allotment[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems: ProfileProblem[] = document.errors.map((error) => ({
    source,
    line: lines.linePos(error.pos[0]).line,
    message: `${error.message.split('\n')[0]}: correct the YAML or JSON here.`,
  }));
  const report = (node: unknown, message: string): void => {
    const range = (node as { range?: readonly number[] | null } | null | undefined)?.range;
    const line = range === undefined || range === null ? undefined : lines.linePos(range[0]!).line;
    problems.push({ source, message, ...(line === undefined ? {} : { line }) });
  };
  const root = document.contents;
  const list = isMap(root) ? root.get('allotments', true) : root;
  if (problems.length === 0 && (!isSeq(list) || list.items.length > allotmentMaxCount)) {
    report(root, 'write a list of allotments, such as `- { flow: camera, node: "1", bufferBits: 200000 }`.');
  }
  const allotments: Allotment[] = [];
  for (const item of isSeq(list) ? list.items.slice(0, allotmentMaxCount) : []) {
    if (isMap(item)) allotments.push(readAllotment(item, report));
    else report(item, 'write an allotment: a map with `flow` and what it is allotted.');
  }
  if (problems.length > 0) throw new ProfileError(problems);
  return allotments;
}

function readAllotment(item: YAMLMap, report: (node: unknown, message: string) => void): Allotment {
  const values = new Map<string, string>();
  for (const { key, value } of item.items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (!fields.includes(name)) report(key, `unknown field \`${name}\`: known are ${fields.join(', ')}.`);
    else if (!isScalar(value)) report(value ?? key, `${name} must be a single value.`);
    else
      values.set(
        name,
        typeof value.value === 'number' ? (value.source ?? String(value.value)) : String(value.value),
      );
  }
  const number = (name: string): Exact | undefined => {
    const written = values.get(name);
    if (written === undefined) return undefined;
    const value = parseExact(written);
    if (value === undefined || sign(value) < 0) {
      report(item, `${name} is \`${written}\`: write a number of at least 0.`);
    }
    return value;
  };
  const role = values.get('role');
  if (role !== undefined && role !== 'transmitter' && role !== 'receiver') {
    report(item, `the role is \`${role}\`: write transmitter or receiver.`);
  }
  if (!values.has('flow')) report(item, 'no flow: write `flow:` with the name of a flow.');
  const allotment: Allotment = {
    flow: values.get('flow') ?? '',
    node: values.get('node'),
    role: role as HopRole | undefined,
    bufferBits: number('bufferBits'),
    delaySeconds: number('delaySeconds'),
    endToEndDelaySeconds: number('endToEndDelaySeconds'),
  };
  const { bufferBits, delaySeconds, endToEndDelaySeconds } = allotment;
  if ([bufferBits, delaySeconds, endToEndDelaySeconds].every((value) => value === undefined)) {
    report(item, 'nothing is allotted: write bufferBits, delaySeconds or endToEndDelaySeconds.');
  }
  return allotment;
}

/**
 * Whether every flow keeps within what it was allotted: predicted buffer ≤ allotted buffer and predicted delay ≤
 * acceptable delay. Returns one sentence for each that does not, and for each allotment that fits no flow; growth
 * without bound is in the result itself.
 */
export function checkAdmissible(result: AnalysisResult, allotments: readonly Allotment[]): string[] {
  const sentences: string[] = [];
  for (const allotment of allotments) {
    const flows = result.flows.filter((flow) => flow.name === allotment.flow || flow.flow === allotment.flow);
    let places = 0;
    for (const flow of flows) {
      const hops = flow.hops.filter(
        (hop) =>
          (allotment.node === undefined || hop.node === allotment.node) &&
          (allotment.role === undefined || hop.role === allotment.role),
      );
      places += hops.length;
      for (const hop of hops) sentences.push(...checkHop(flow, hop, allotment));
      const accepted = allotment.endToEndDelaySeconds;
      const { delaySeconds, timeSeconds } = flow.endToEnd;
      if (accepted !== undefined && less(accepted, delaySeconds)) {
        sentences.push(
          `${flow.name} takes ${formatSeconds(delaySeconds)} from ${flow.route[0]} to ${flow.route[flow.route.length - 1]} ` +
            `(sent at ${formatSeconds(timeSeconds)}), but at most ${formatSeconds(accepted)} are acceptable: ` +
            `${formatSeconds(subtract(delaySeconds, accepted))} too long.`,
        );
      }
    }
    if (places === 0) {
      const where = allotment.node === undefined ? '' : ` at node ${allotment.node}`;
      sentences.push(
        `an allotment is for ${allotment.flow}${where}${allotment.role === undefined ? '' : ` as ${allotment.role}`}, ` +
          'where no analysed flow is: correct its flow, node or role.',
      );
    }
  }
  return [...new Set(sentences)];
}

function checkHop(flow: FlowResult, hop: HopResult, { bufferBits, delaySeconds }: Allotment): string[] {
  const sentences: string[] = [];
  const place = `${flow.name} at node ${hop.node} (${hop.role})`;
  if (bufferBits !== undefined && less(bufferBits, hop.buffer.bits)) {
    sentences.push(
      `${place} needs a buffer of ${formatBits(hop.buffer.bits)} at ${formatSeconds(hop.buffer.timeSeconds)}, ` +
        `but is allotted ${formatBits(bufferBits)}: ${formatBits(subtract(hop.buffer.bits, bufferBits))} too few.`,
    );
  }
  if (delaySeconds !== undefined && less(delaySeconds, hop.delay.seconds)) {
    sentences.push(
      `${place} delays data that arrives at ${formatSeconds(hop.delay.timeSeconds)} by ` +
        `${formatSeconds(hop.delay.seconds)}, but at most ${formatSeconds(delaySeconds)} are acceptable: ` +
        `${formatSeconds(subtract(hop.delay.seconds, delaySeconds))} too long.`,
    );
  }
  return sentences;
}

/** One sentence for each place whose backlog grows without bound. */
export function describeGrowth(result: AnalysisResult): string[] {
  const sentences = new Set<string>();
  for (const flow of result.flows) {
    for (const hop of flow.hops) {
      if (sign(hop.growthBitsPerHyperperiod) === 0) continue;
      const who = [flow.name, ...hop.sharedWith].sort().join(', ');
      sentences.add(
        `the backlog of ${who} at node ${hop.node} (${hop.role}) grows by ${formatBits(hop.growthBitsPerHyperperiod)} ` +
          `in every hyperperiod of ${formatExact(result.hyperperiodSeconds)} s, without bound.`,
      );
    }
  }
  return [...sentences];
}
