// The process of the open loop: a message begins loads together, their results are the answer.
import { setTimeout as delay } from 'node:timers/promises';
import { type ResolvedLoadOptions, runLoad } from 'shoal-lab/load';

export interface Loads {
  /** Wall-clock time, in ms since 1970. */
  readonly startAtEpochMs: number;
  readonly loads: readonly ResolvedLoadOptions[];
}

process.on('message', ({ startAtEpochMs, loads }: Loads) => {
  void delay(Math.max(0, startAtEpochMs - Date.now()))
    .then(() => Promise.all(loads.map((options) => runLoad(options, () => undefined).done)))
    .then((results) => process.send?.(results));
});
