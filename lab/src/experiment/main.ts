// `npm run experiment -- …`
import { LabError } from '../lab-error.ts';
import { compareGenerators } from './generators.ts';
import { runCommand } from './options.ts';
import { renderReport, runRivals } from './rivals.ts';

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

try {
  await runCommand(process.argv.slice(2), {
    rivals: (options) => runRivals(options, print),
    report: async (options) => renderReport(options, print),
    generators: (options) => compareGenerators(options, print),
  });
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
