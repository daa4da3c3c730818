// Keeps its thread for three quarters of the time, in handlers that are well within their run limit.
import { type App, defineApp, defineMsu } from '../../model/index.ts';

const burner = defineMsu({
  name: 'burner',
  runLimitMs: 1_000,
  timers: { burn: { periodMs: 80 } },
  create: () => ({
    burn() {
      // By CPU time: what was left when the process was stopped is still to be done when it goes on.
      const endsAt = process.cpuUsage().user + 60_000;
      while (process.cpuUsage().user < endsAt);
    },
  }),
});

const app: App = defineApp({ name: 'steady', msus: [burner], edges: [] });
export default app;
