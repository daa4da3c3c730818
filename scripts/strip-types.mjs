// Lets Node run our TypeScript sources: a loader hook around amaro, the type stripper that newer Node
// has built in. Worker threads inherit it, because they inherit --import.
import { register } from 'node:module';

register('./strip-types-hook.mjs', import.meta.url);
