import { writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import path from 'node:path';
import type { RunningProgram } from '../testbed/program.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';

/** Port on which every deployment serves its clients. */
export const publicPort = 443;
/** Connections HAProxy accepts at a time. */
const connectionsMax = 8_000;
/** Longest answer of HAProxy's command socket that is read. */
const answerMaxCharacters = 65_536;

/** A server behind HAProxy. */
export interface Upstream {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** In the list but out of use until `enable` is called. */
  readonly disabled?: boolean;
}

const section = (title: string, lines: readonly string[]): string =>
  `${title}\n${lines.map((line) => `    ${line}\n`).join('')}`;

const globalSection = (socketPath: string, more: readonly string[] = []): string =>
  section('global', [
    `maxconn ${connectionsMax}`,
    'nbthread 1',
    `stats socket ${socketPath} mode 600 level admin`,
    ...more,
  ]);

/** A plain front: passes TCP connections on to the server with the fewest. TLS ends in the servers. */
export function passThroughConfig(
  address: string,
  socketPath: string,
  upstreams: readonly Upstream[],
): string {
  return [
    globalSection(socketPath),
    section('defaults', [
      'mode tcp',
      'timeout connect 1s',
      'timeout client 60s',
      'timeout server 60s',
      'option redispatch',
    ]),
    section('frontend public', [`bind ${address}:${publicPort}`, 'default_backend web']),
    section('backend web', [
      'balance leastconn',
      ...upstreams.map(
        ({ name, address: host, port, disabled }) =>
          `server ${name} ${host}:${port} check inter 500 fall 3 rise 1${disabled ? ' disabled' : ''}`,
      ),
    ]),
  ].join('\n');
}

/**
 * A front as a careful team sets it up: TLS ends here, slow requests are cut off, requests are spread one by
 * one, and each source address has limits on connections, requests and errors.
 */
export function hardenedConfig(
  address: string,
  socketPath: string,
  certificateFile: string,
  upstreams: readonly Upstream[],
): string {
  return [
    globalSection(socketPath, ['ssl-default-bind-options ssl-min-ver TLSv1.2', 'tune.ssl.cachesize 20000']),
    section('defaults', [
      'mode http',
      'timeout connect 1s',
      'timeout http-request 2s',
      'timeout http-keep-alive 10s',
      'timeout client 5s',
      'timeout server 2s',
      'timeout queue 500ms',
      'option redispatch',
      'option http-buffer-request',
    ]),
    section('frontend public', [
      `bind ${address}:${publicPort} ssl crt ${certificateFile} alpn http/1.1`,
      'stick-table type ip size 100k expire 60s store conn_cur,conn_rate(3s),http_req_rate(10s),http_err_rate(10s)',
      'tcp-request connection track-sc0 src',
      'tcp-request connection reject if { sc0_conn_cur gt 20 }',
      'tcp-request connection reject if { sc0_conn_rate gt 12 }',
      'http-request deny deny_status 429 if { sc0_http_req_rate gt 150 }',
      'http-request deny deny_status 429 if { sc0_http_err_rate gt 20 }',
      'default_backend web',
    ]),
    section('backend web', [
      'balance leastconn',
      ...upstreams.map(
        ({ name, address: host, port }) =>
          `server ${name} ${host}:${port} check inter 500 fall 3 rise 1 maxconn 32`,
      ),
    ]),
  ].join('\n');
}

/** A running HAProxy and its command socket. */
export interface Haproxy {
  /** Takes a listed server into or out of use. */
  setState(server: string, state: 'ready' | 'maint'): Promise<void>;
  close(): Promise<void>;
}

/** Starts HAProxy on a machine with a configuration made for the command socket it is given. */
export async function startHaproxy(
  machine: TestbedMachine,
  folder: string,
  configure: (socketPath: string) => string,
): Promise<Haproxy> {
  const socketPath = path.join(folder, 'haproxy.sock');
  const configFile = path.join(folder, 'haproxy.cfg');
  await writeFile(configFile, configure(socketPath));
  const program: RunningProgram = await machine.run({
    name: 'haproxy',
    command: 'haproxy',
    args: ['-db', '-f', configFile],
    ready: { port: publicPort },
  });
  return {
    async setState(server, state) {
      await command(socketPath, `set server web/${server} state ${state}`);
    },
    close: async () => {
      await program.stop();
    },
  };
}

/** Sends one command to HAProxy's socket and returns its answer. */
function command(socketPath: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect({ path: socketPath });
    socket.on('data', (bytes) => {
      answer = `${answer}${bytes.toString()}`.slice(0, answerMaxCharacters);
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (answer.trim() === '') resolve(answer);
      else reject(new Error(`HAProxy refused "${line}": ${answer.trim()}`));
    });
    socket.end(`${line}\n`);
  });
}
