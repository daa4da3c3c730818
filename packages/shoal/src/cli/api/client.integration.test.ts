// What answers on the port of a run file may be cut off, or not be an app at all.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { ShoalError } from '../../model/index.ts';
import { createToken, type RunFile } from '../run-directory.ts';
import { type ControlClient, createControlClient } from './client.ts';

let respond: (response: ServerResponse) => void = () => {};
const server = createServer((_request, response) => respond(response));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());

const runAt = (port: number): RunFile => ({ version: 1, app: 'web', pid: 77, port, token: createToken() });
const client = createControlClient(runAt((server.address() as AddressInfo).port));
const calls: readonly [string, (client: ControlClient) => Promise<unknown>][] = [
  ['snapshot', (to) => to.snapshot()],
  ['decisions', (to) => to.decisions()],
  ['explain', (to) => to.explain('regex')],
  ['order', (to) => to.order('remove', { instanceId: 1 })],
];
const control = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ShoalError, String(error));
  assert.equal(error.code, 'SHOAL_CONTROL');
  assert.match(error.message, message);
  return true;
};

describe('an answer is a SHOAL_CONTROL error, whatever was asked,', () => {
  const notUnderstood =
    /^App "web" \(process 77\) on \S+ answers \S+ with what is not understood \(status 200/;
  const answers: readonly [string, (response: ServerResponse) => void, RegExp][] = [
    [
      'that is cut off',
      (response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('{"view":', () => response.destroy());
      },
      /^App "web" \(process 77\) does not answer on http:\S+ \(ECONNRESET\)\.$/,
    ],
    ['that is cut off without a length to tell', (response) => response.end('{"view": {'), notUnderstood],
    ['that is no JSON', (response) => response.end('<html>'), notUnderstood],
    ['that is empty', (response) => response.end(), notUnderstood],
    ['of null', (response) => response.end('null'), notUnderstood],
    ['of another program', (response) => response.end('{"view":{},"decisions":{},"text":5}'), notUnderstood],
    ['with a status and no message', (response) => response.writeHead(503).end('busy'), /\(status 503, 4/],
    [
      'with a message',
      (response) => response.writeHead(401).end('{"error":{"message":"A bearer token is needed."}}'),
      /^A bearer token is needed\.$/,
    ],
  ];
  for (const [name, answer, expected] of answers) {
    test(name, async () => {
      respond = answer;
      for (const [, call] of calls) await assert.rejects(call(client), control(expected));
    });
  }
});

test('ports that browsers do not talk to are asked like any other', async () => {
  // `fetch` says "bad port" of these without asking.
  for (const port of [6_667, 6_000]) {
    await assert.rejects(createControlClient(runAt(port)).snapshot(), control(/^(?!.*(bad port|TypeError))/));
  }
});

test('a question is given up when it is told to', async () => {
  const ending = new AbortController();
  respond = () => ending.abort();
  await assert.rejects(client.snapshot(ending.signal), control(/does not answer .*\(ABORT_ERR\)/));
});
