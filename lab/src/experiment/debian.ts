import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { LabError } from '../lab-error.ts';

const script = path.resolve(import.meta.dirname, '../../scripts/install-debian.sh');

/** Installs the Debian packages that are missing. @throws LabError when that fails. */
export function installDebian(packages: readonly string[]): void {
  try {
    execFileSync(script, packages, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new LabError(
      `The experiment needs ${packages.join(', ')}: ${stderr?.trim() || (error as Error).message}`,
    );
  }
}
