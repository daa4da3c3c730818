// Types that say half of what their keys need to move.
import { type App, defineApp, defineMsu, type MsuOptions, receives, value } from '../../model/index.ts';

const variable = process.env.SHOAL_TEST_HALF ?? '{}';
const { state, handlers } = JSON.parse(variable) as { state: 'keyed' | 'none'; handlers: string[] };

const half = defineMsu({
  name: 'half',
  ...({ state } as Pick<MsuOptions, 'state'>),
  entry: true,
  in: { take: receives(value<number>()) },
  create: () => {
    const made: Record<string, () => void> = { take: () => {} };
    for (const name of handlers) made[name] = () => {};
    return made as { take: () => void };
  },
});

const app: App = defineApp({ name: 'half-moving', msus: [half], edges: [] });
export default app;
