/** A supervisor process for tests that send it signals: `supervise.ts FILE BEHAVIOUR`. */
import { startSupervisor } from '../supervisor/index.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const supervisor = startSupervisor({
  module: new URL(`./supervised.${extension}`, import.meta.url),
  args: process.argv.slice(2),
});
process.exitCode = await supervisor.finished;
