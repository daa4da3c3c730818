/** A real Redis for tests, on a free port of the loopback interface, with nothing kept on disk. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';

export interface TestRedis {
  readonly url: string;
  /** Stops it. Safe to call twice. */
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a Redis that holds the given keys. */
export async function startRedis(values: Readonly<Record<string, string>>): Promise<TestRedis> {
  const installer = fileURLToPath(new URL('../../../../lab/scripts/install-debian.sh', import.meta.url));
  execFileSync('sh', [installer, 'redis-server'], { stdio: 'inherit' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'web-server-redis-'));
  const port = await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let log = '';
    child.stdout.on('data', (bytes: Buffer) => {
      log += bytes.toString();
      if (log.includes('Ready to accept connections')) resolve();
    });
    void exited.then(() => reject(new Error(`redis-server ended: ${log}`)));
  });
  const url = `redis://127.0.0.1:${port}`;
  const client = await createClient({ url }).connect();
  for (const [key, value] of Object.entries(values)) await client.set(key, value);
  client.destroy();
  return {
    url,
    close: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
