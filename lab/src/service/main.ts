// Runs the service in this process, or in `processes` of its children that share the port. Options come in the
// environment (see options.ts); prints `listening` when it serves. SIGTERM ends it.
import cluster from 'node:cluster';
import { createService } from './create-service.ts';
import { readServiceOptions } from './options.ts';

const options = readServiceOptions(process.env);

if (options.processes > 1 && cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', () => {
    listening += 1;
    if (listening === options.processes) process.stdout.write('listening\n');
  });
  // A worker that dies is replaced, as every cluster set-up does.
  let closing = false;
  cluster.on('exit', () => {
    if (!closing) cluster.fork();
  });
  for (let i = 0; i < options.processes; i += 1) cluster.fork();
  process.once('SIGTERM', () => {
    closing = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
    process.exit(0);
  });
} else {
  const service = await createService(options);
  await service.listen({ host: options.host, port: options.port });
  if (!cluster.isWorker) process.stdout.write('listening\n');
  process.once('SIGTERM', () => {
    void service.close().then(() => process.exit(0));
  });
}
