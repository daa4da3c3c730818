import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { createCertificate } from '../../certificate.ts';
import { nodeProgram, siblingModule } from '../../node-program.ts';
import type { TargetOptions } from './target-process.ts';

/** The small service of target-process.ts, running on loopback in a process of its own. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

export type StartTargetOptions = Omit<TargetOptions, 'keyFile' | 'certificateFile'> & {
  /** HTTPS with a fresh self-signed certificate, or plain HTTP. */
  readonly tls: boolean;
  /** Size of the certificate's RSA key. Default 2048. */
  readonly rsaBits?: number;
  /** Flags for its Node. */
  readonly nodeFlags?: readonly string[];
};

/** Starts a target. */
export async function startTarget(options: StartTargetOptions): Promise<Target> {
  const { tls, rsaBits, nodeFlags = [], ...rest } = options;
  const folder = mkdtempSync(path.join(tmpdir(), 'shoal-target-'));
  const files = tls ? createCertificate(folder, rsaBits) : {};
  const program = nodeProgram(siblingModule('./target-process', import.meta.url), [
    JSON.stringify({ ...rest, ...files } satisfies TargetOptions),
  ]);
  const child = spawn(program.command, [...nodeFlags, ...program.args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) =>
      resolve((JSON.parse(line) as { port: number }).port),
    );
    child.once('close', () => reject(new Error('the target ended before it listened')));
  });
  return {
    host: rest.host ?? '127.0.0.1',
    port,
    pid: child.pid ?? -1,
    async close() {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Starts a target, does something with it and closes it. */
export async function withTarget<Result>(
  options: StartTargetOptions,
  use: (target: Target) => Promise<Result>,
): Promise<Result> {
  const target = await startTarget(options);
  try {
    return await use(target);
  } finally {
    await target.close();
  }
}
