// Works without a pause for a while, and then has nothing to do for a while.
import { type App, defineApp, defineMsu } from '../../model/index.ts';

const burner = defineMsu({
  name: 'burner',
  timers: { spell: { periodMs: 1_500 } },
  create: () => ({
    spell() {
      const endsAt = performance.now() + 600;
      while (performance.now() < endsAt);
    },
  }),
});

const app: App = defineApp({ name: 'spells', msus: [burner], edges: [] });
export default app;
