// The monolith under node:cluster: as many whole copies as SHOAL_WEB_WORKERS says (default 2), one port.
import cluster from 'node:cluster';
import { startMonolith } from './monolith.ts';
import { runServer } from './running-server.ts';

/** A worker that dies is replaced, at most so often in all: a server that cannot start is not tried for ever. */
const replacementsMax = 100;

function runPrimary(): void {
  const workers = Number(process.env.SHOAL_WEB_WORKERS ?? '2');
  if (!Number.isInteger(workers) || workers < 1 || workers > 64) {
    process.stderr.write('SHOAL_WEB_WORKERS: a whole number from 1 to 64 is needed\n');
    process.exit(1);
  }
  let isStopping = false;
  let listening = 0;
  let replacements = 0;
  // The workers read the settings themselves and know nothing of this one.
  const { SHOAL_WEB_WORKERS: _, ...environment } = process.env;
  const fork = (): void => void cluster.fork(environment);
  cluster.setupPrimary({ silent: true });
  cluster.on('fork', ({ process: child }) => child.stderr?.pipe(process.stderr));
  cluster.on('listening', (_worker, { address, port }) => {
    listening += 1;
    if (listening === workers) process.stdout.write(`listening on https://${address}:${port}\n`);
  });
  cluster.on('exit', (_worker, code) => {
    const isLast = Object.keys(cluster.workers ?? {}).length === 0;
    if (isStopping || listening < workers) {
      if (isLast) process.exit(code ?? 1);
    } else if (replacements < replacementsMax) {
      replacements += 1;
      fork();
    }
  });
  const pass = (signal: NodeJS.Signals): void => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
  };
  process.on('SIGHUP', () => pass('SIGHUP'));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      isStopping = true;
      pass(signal);
    });
  }
  for (let i = 0; i < workers; i++) fork();
}

if (cluster.isPrimary) runPrimary();
else await runServer(startMonolith);
