/** The report of a run as one HTML file that needs nothing else. */
import { drawPicture } from './picture.ts';
import type { Plan } from './plan.ts';
import type { Requirement } from './requirements.ts';
import type { DemoResult } from './result.ts';
import { table, verdict } from './terminal.ts';

const escapeText = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

export function renderReport(result: DemoResult, plan: Plan, requirements: readonly Requirement[]): string {
  const { costMs, characters } = result.hostileRequest;
  const { cores, cpu, node } = result.machine;
  const rows = requirements.map(
    ({ text, measured, isMet }) =>
      `<tr><td class="${isMet ? 'pass' : 'fail'}">${isMet ? 'pass' : 'FAIL'}</td><td>${escapeText(text)}</td><td>${escapeText(measured)}</td></tr>`,
  );
  // The controller's own clock and numbers say nothing beside the seconds of this run.
  const plain = (text: string): string => text.replace(/^[\d.]+ s \[\d+\] /, '');
  const decisions = (result.deployments.shoal?.decisions ?? []).map(
    ({ atMs, text }) => `<li><b>${(atMs / 1_000).toFixed(1)} s</b> ${escapeText(plain(text))}</li>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Shoal demo</title><style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222 }
svg { width: 100%; height: auto } pre { background: #f5f5f5; padding: 1rem; overflow-x: auto; font-size: 13px }
td { padding: 0.15rem 0.8rem 0.15rem 0 } .pass { color: #2e7d32; font-weight: 600 } .fail { color: #c62828; font-weight: 700 }
</style></head><body>
<h1>The same HTTPS service under the same attack, in three ways</h1>
<p>Honest clients send ${result.honestRatePerSecond} requests a second (open loop, Poisson; four fifths for objects, one fifth
for a regular-expression search) and wait at most one second. The attack sends searches of ${characters} characters that each
burn ${costMs.toFixed(0)} ms of CPU: first 1.3 cores' worth, then 3. Every deployment has the same two cores; the load
generators run on the same machine (${cores} cores, ${escapeText(cpu)}, Node ${node}). Success and latency are what the clients saw.</p>
<p><b>${escapeText(verdict(result))}</b></p>
${drawPicture(result, plan)}
<h2>Figures</h2><pre>${escapeText(table(result))}</pre>
<h2>What Shoal must show</h2><table>${rows.join('\n')}</table>
<h2>Decisions of the controller</h2><ol>${decisions.join('\n')}</ol>
</body></html>
`;
}
