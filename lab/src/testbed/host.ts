import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { LabError } from '../lab-error.ts';
import { type Cgroups, detectCgroups } from './cgroup.ts';

/** Programs that the testbed itself calls, and the Debian package of each. */
const programs: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  prlimit: 'util-linux',
  setpriv: 'util-linux',
  unshare: 'util-linux',
};

/** What keeps this host from running a testbed, in one sentence; null if nothing does. */
export function hostObstacle(): string | null {
  if (process.platform !== 'linux')
    return 'The testbed needs Linux: it makes network namespaces and cgroups.';
  if (process.getuid?.() !== 0)
    return 'The testbed needs root, because it makes network namespaces and cgroups: run the command with sudo.';
  const missing = Object.keys(programs).filter(
    (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined,
  );
  if (missing.length > 0) {
    const named = missing.map((program) => `${program} (Debian package ${programs[program]})`).join(', ');
    return `The testbed needs ${named}: run lab/scripts/install-debian.sh, which installs what is missing.`;
  }
  if (detectCgroups(readFileSync('/proc/mounts', 'utf8')) === null)
    return 'The testbed needs the cpu and memory controllers of cgroups, and none are mounted on this host.';
  if (spawnSync('unshare', ['--net', 'true'], { stdio: 'ignore' }).status !== 0)
    return 'The testbed needs network namespaces, and this host (or the container) does not let root make them.';
  return null;
}

/** The host's control groups; throws `LabError` with the obstacle if a testbed cannot run here. */
export function requireHost(): Cgroups {
  const obstacle = hostObstacle();
  if (obstacle !== null) throw new LabError(obstacle);
  return hostCgroups();
}

/** The host's control groups, on a host that was checked before. */
export function hostCgroups(): Cgroups {
  const cgroups = detectCgroups(readFileSync('/proc/mounts', 'utf8'));
  if (cgroups === null) throw new LabError('No cgroups are mounted on this host.');
  return cgroups;
}
