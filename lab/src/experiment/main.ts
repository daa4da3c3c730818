// `npm run experiment -- …`
import { LabError } from '../lab-error.ts';
import { parseArguments } from './options.ts';
import { runRivals } from './rivals.ts';

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

try {
  await parseArguments(process.argv.slice(2), (options) => runRivals(options, print));
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
