/** A process to be stopped and continued by signals: a line for each report, until its input ends. */
import { startApp } from '../test-apps/start.ts';

const app = await startApp('steady', { samplePeriodMs: 50 });
app.runtime.bus.onReport(({ stoodStillMs, events, instances }) => {
  const kinds = events.map(({ kind }) => kind);
  const items = instances.reduce((sum, sample) => sum + sample.items, 0);
  process.stdout.write(`${JSON.stringify({ stoodStillMs, kinds, items })}\n`);
});
process.stdin.resume().once('end', async () => {
  await app.runtime.close();
  const warnings = app.logged.filter(({ level }) => level === 'warn').map(({ text }) => text);
  process.stdout.write(`${JSON.stringify({ warnings })}\n`, () => process.exit(0));
});
