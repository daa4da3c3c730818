/** How much an MSU thread allocates between two collections of its young objects. */
import { setFlagsFromString } from 'node:v8';

/**
 * What Node 20 and 22 take by themselves: three times a semi-space. Node 24 takes 192, and one collection can then move
 * more out of the young generation than the headroom that V8 leaves a heap at its limit to end in order: the process
 * aborts.
 */
export const maxYoungGenerationSizeMb = 48;

/**
 * Where little was allocated for a while, V8's next collection shrinks a semi-space to 1 MiB, and it grows again only as
 * objects survive, which messages and requests do not: a thread that becomes busy after a lull, as under an attack, then
 * collects a hundred times a second. In 1-second loads of the web server with pauses between them that is 2 % of its
 * throughput; larger sizes than this gain no more. A thread that allocates comes to use twice this much memory.
 */
const minSemiSpaceSizeMb = 8;

/** Holds for every thread of the process that is started later. */
export function keepYoungGenerationLarge(): void {
  setFlagsFromString(`--min-semi-space-size=${minSemiSpaceSizeMb}`);
}
