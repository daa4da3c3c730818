// The process of the open loop: a message with options begins a load, its result is the answer.
import { type ResolvedLoadOptions, runLoad } from 'shoal-lab/load';

process.on('message', (options: ResolvedLoadOptions) => {
  void runLoad(options, () => undefined).done.then((result) => process.send?.(result));
});
