import {
  type AnalysisResult,
  type CalculusBounds,
  type DelayRule,
  formatBits,
  formatSeconds,
  type HopResult,
} from '../profile/index.ts';

interface TextOptions {
  readonly delayRule: DelayRule;
  readonly bounds: ReadonlyMap<HopResult, CalculusBounds | undefined> | undefined;
}

/** An analysis as text for people; numbers rounded to a microsecond and a thousandth of a bit. */
export function describeAnalysis(result: AnalysisResult, options: TextOptions): string {
  const rule = options.delayRule === 'sup' ? 'exact supremum' : 'left rule';
  const lines = [
    `Hyperperiod ${formatSeconds(result.hyperperiodSeconds)}, ${result.periods} analysed. Delays: ${rule}.`,
  ];
  for (const flow of result.flows) {
    lines.push('', `${flow.name} (priority ${flow.priority}): ${flow.route.join(' → ')}`);
    lines.push(...table(flow.hops));
    const { delaySeconds, timeSeconds, sumOfHopDelaysSeconds } = flow.endToEnd;
    lines.push(
      `  end to end: ${formatSeconds(delaySeconds)}, for data sent at ${formatSeconds(timeSeconds)}` +
        ` (the delays above add up to ${formatSeconds(sumOfHopDelaysSeconds)})`,
    );
    for (const hop of flow.hops) lines.push(...notes(hop, options.bounds));
  }
  lines.push('');
  for (const warning of result.warnings) lines.push(`Warning: ${warning}`);
  lines.push(
    result.stable
      ? 'Stable: no backlog grows from one hyperperiod to the next.'
      : `Unstable: backlogs grow by ${formatBits(result.growthBitsPerHyperperiod)} in every hyperperiod.`,
  );
  return `${lines.join('\n')}\n`;
}

function table(hops: readonly HopResult[]): string[] {
  const rows = [
    ['node', 'role', 'max buffer', 'at', 'max delay', 'of data at', 'unserved'],
    ...hops.map((hop) => [
      hop.node,
      hop.role,
      formatBits(hop.buffer.bits),
      formatSeconds(hop.buffer.timeSeconds),
      formatSeconds(hop.delay.seconds),
      formatSeconds(hop.delay.timeSeconds),
      formatBits(hop.unservedBits),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(
    (row) =>
      `  ${row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')}`,
  );
}

function notes(hop: HopResult, bounds: TextOptions['bounds']): string[] {
  const lines: string[] = [];
  const place = `node ${hop.node} (${hop.role})`;
  if (hop.sharedWith.length > 0)
    lines.push(`  ${place}: the buffer is shared with ${hop.sharedWith.join(', ')}`);
  if (bounds !== undefined) {
    const bound = bounds.get(hop);
    lines.push(
      bound === undefined
        ? `  ${place}, network calculus: no bound, the backlog grows`
        : `  ${place}, network calculus: buffer ≤ ${formatBits(bound.buffer.value)} (window ${formatSeconds(bound.buffer.time)}), ` +
            `delay ≤ ${formatSeconds(bound.delay.value)} (window ${formatSeconds(bound.delay.time)})`,
    );
  }
  const grows = formatBits(hop.growthBitsPerHyperperiod);
  if (grows !== formatBits(0))
    lines.push(`  ${place}: grows by ${grows} in every hyperperiod, without bound`);
  return lines;
}
