// The control endpoint of a real runtime and controller, asked by those who may not.
import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, request } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Controller, createController } from '../../controller/index.ts';
import { createSeededRandom, deriveDeployment } from '../../model/index.ts';
import { type Runtime, startRuntime } from '../../runtime/index.ts';
import { createToken } from '../run-directory.ts';
import { fixtures, waitUntil } from '../test-command.ts';
import { createControlSource } from './control-source.ts';
import { bodyMaxBytes, type ControlEndpoint, connectionsMax, startControlEndpoint } from './server.ts';

let runtime: Runtime;
let controller: Controller;
let endpoint: ControlEndpoint;
const token = createToken();

before(async () => {
  runtime = await startRuntime({ appUrl: pathToFileURL(path.join(fixtures, 'apps/steady.mjs')) });
  const deployment = deriveDeployment(runtime.graph, { cores: 2 });
  const { bus, clock, graph } = runtime;
  controller = createController({ graph, deployment, bus, clock, epoch: 1, random: createSeededRandom(1) });
  endpoint = await startControlEndpoint({ source: createControlSource(controller, bus), token });
});
after(async () => {
  await endpoint.close();
  await controller.close();
  await runtime.close();
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly token?: string | null;
}

function ask({
  method = 'GET',
  path: target = '/v1/view',
  headers = {},
  body,
  token: given = token,
}: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const authorization: Record<string, string> = given === null ? {} : { authorization: `Bearer ${given}` };
    const asked = request(
      {
        host: '127.0.0.1',
        port: endpoint.port,
        path: target,
        method,
        headers: { ...authorization, ...headers },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const instances = async (): Promise<number> => (await ask({})).body.split('"instanceId"').length - 1;

describe('the control endpoint', { timeout: 120_000 }, () => {
  test('answers who has the token', async () => {
    const { status, body } = await ask({});
    assert.equal(status, 200);
    const { view } = JSON.parse(body) as { view: { app: string; types: { msu: string }[] } };
    assert.equal(view.app, 'steady');
    assert.deepEqual(view.types.map((type) => type.msu).sort(), ['ask', 'work']);
  });

  test('refuses every path without the token, with another one, and with parts of it, and tells nothing', async () => {
    const almost = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
    const wrong = [
      null,
      createToken(),
      almost,
      token.slice(0, -1),
      `${token}A`,
      '',
      '*',
      token.toLowerCase(),
    ];
    const paths = [
      '/v1/view',
      '/v1/decisions',
      '/v1/explain/work',
      '/metrics',
      '/v1/health?x=1',
      '/',
      '/v2',
      '/%2e%2e/v1/view',
      '/%zz',
      '/v1/explain/%c0%80',
      `/v1/explain/${'x'.repeat(200)}`,
    ];
    for (const given of wrong) {
      for (const target of paths) {
        const answer = await ask({ path: target, token: given });
        assert.equal(answer.status, 401, `${target} with ${given}`);
        assert.doesNotMatch(answer.body, /steady|work|instanceId|zz|xxx/);
      }
    }
    for (const authorization of [
      `Basic ${token}`,
      token,
      `bearer ${token}`,
      `Bearer ${token} x`,
      `Bearer  ${token}`,
    ]) {
      assert.equal((await ask({ token: null, headers: { authorization } })).status, 401, authorization);
    }
    for (const operator of ['clone', 'remove', 'reassign']) {
      const body = JSON.stringify({ msu: 'work', instanceId: 1 });
      assert.equal(
        (await ask({ method: 'POST', path: `/v1/${operator}`, headers: json, body, token: null })).status,
        401,
      );
    }
  });

  test('says without the token that it lives, and nothing else', async () => {
    assert.deepEqual(JSON.parse((await ask({ path: '/v1/health', token: null })).body), {
      status: 'serving',
    });
  });

  test('refuses requests that a rebound name brings, and those of pages of other origins, even with the token', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${endpoint.port}`,
      '127.0.0.1',
      '127.0.0.1:1',
      `127.0.0.1.evil.example:${endpoint.port}`,
    ]) {
      assert.equal((await ask({ headers: { host } })).status, 403, `Host: ${host}`);
      for (const target of ['/v1/health', '/%zz', `/v1/explain/${'x'.repeat(200)}`]) {
        assert.equal((await ask({ path: target, headers: { host } })).status, 403, `${target} Host: ${host}`);
      }
    }
    for (const origin of [
      'https://evil.example',
      'null',
      'http://127.0.0.1',
      `https://127.0.0.1:${endpoint.port}`,
      'file://',
    ]) {
      assert.equal((await ask({ headers: { origin } })).status, 403, `Origin: ${origin}`);
    }
    const own = `localhost:${endpoint.port}`;
    assert.equal((await ask({ headers: { host: own, origin: `http://${own}` } })).status, 200);
  });

  test('lets no page of another origin ask what it may do', async () => {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    const answer = await ask({ method: 'OPTIONS', path: '/v1/clone', headers, token: null });
    assert.equal(answer.status, 403);
    assert.deepEqual(
      Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
      [],
    );
  });

  test('changes nothing by GET, nor by other methods', async () => {
    const count = await instances();
    for (const target of [
      '/v1/clone',
      '/v1/clone?msu=work&count=1',
      '/v1/remove?instanceId=1',
      '/v1/reassign',
    ]) {
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
        assert.equal((await ask({ method, path: target })).status, 404, `${method} ${target}`);
      }
    }
    assert.equal(await instances(), count);
    assert.equal(controller.decisions().filter((decision) => decision.cause.kind === 'person').length, 0);
  });

  test('understands orders as JSON only: no forms, no text, which pages could send', async () => {
    const body = JSON.stringify({ msu: 'work' });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
    ]) {
      const { status } = await ask({
        method: 'POST',
        path: '/v1/clone',
        headers: { 'content-type': type },
        body,
      });
      assert.equal(status, 415, type);
    }
  });

  test('refuses orders that are not understood, with what is wrong', async () => {
    const cases: [string, string, number][] = [
      ['/v1/clone', '', 400],
      ['/v1/clone', '{', 400],
      ['/v1/clone', 'null', 400],
      ['/v1/clone', '[]', 400],
      ['/v1/clone', '{}', 400],
      ['/v1/clone', '{"msu":"work","count":0}', 400],
      ['/v1/clone', '{"msu":"work","count":1e9}', 400],
      ['/v1/clone', '{"msu":"work","count":"2"}', 400],
      ['/v1/clone', '{"msu":"work","force":true}', 400],
      ['/v1/clone', '{"msu":"../work"}', 400],
      ['/v1/clone', '{"msu":"work","__proto__":{"count":3}}', 400],
      ['/v1/clone', '{"msu":"wrk"}', 404],
      ['/v1/remove', '{"instanceId":-1}', 400],
      ['/v1/remove', '{"instanceId":1.5}', 400],
      ['/v1/remove', '{"instanceId":999999}', 404],
      ['/v1/remove', '{"instanceId":1,"msu":"no name"}', 400],
      ['/v1/remove', '{"instanceId":1,"msu":"nobody"}', 404],
      ['/v1/reassign', '{"instanceId":1,"msu":"nobody","machine":"local","process":"main"}', 404],
      ['/v1/reassign', '{"instanceId":1}', 400],
      ['/v1/reassign', '{"instanceId":1,"machine":"local","process":"other"}', 404],
    ];
    for (const [target, body, expected] of cases) {
      const answer = await ask({ method: 'POST', path: target, headers: json, body });
      assert.equal(answer.status, expected, `${target} ${body}: ${answer.body}`);
      assert.ok((JSON.parse(answer.body) as { error: { message: string } }).error.message.length > 5);
      assert.doesNotMatch(answer.body, /\s+at .*\.[jt]s/);
    }
    const large = JSON.stringify({ msu: 'w'.repeat(bodyMaxBytes) });
    assert.equal((await ask({ method: 'POST', path: '/v1/clone', headers: json, body: large })).status, 413);
  });

  test('explains names that exist, and says of others what was meant', async () => {
    const { status, body } = await ask({ path: '/v1/explain/work' });
    assert.equal(status, 200);
    assert.match((JSON.parse(body) as { text: string }).text, /^work: \d+ serving/);
    const cases: [string, RegExp][] = [
      ['wrok', /Did you mean \\"work\\"\?/],
      ['99999', /no instance 99999/],
      ['ask%2399999', /no instance 99999/],
      ['%00', /no type/],
      ['__proto__', /no type/],
      [`${'x'.repeat(100)}`, /no type/],
    ];
    for (const [name, expected] of cases) {
      const answer = await ask({ path: `/v1/explain/${name}` });
      assert.equal(answer.status, 404, name);
      assert.match(answer.body, expected);
    }
  });

  test('answers a path that cannot be decoded, and a name that is too long, as any other error', async () => {
    const cases: [string, number, string][] = [
      ['/%zz', 400, 'The path is not understood.'],
      ['/v1/explain/%c0%80', 400, 'The path is not understood.'],
      [`/v1/explain/${'x'.repeat(129)}`, 414, 'A name has at most 128 characters.'],
    ];
    for (const [target, status, message] of cases) {
      const answer = await ask({ path: target });
      assert.deepEqual([answer.status, JSON.parse(answer.body)], [status, { error: { message } }], target);
    }
  });

  test('survives what is not HTTP, headers without end, and more connections than it may have', async () => {
    const send = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let got = '';
        const socket = net.connect(endpoint.port, '127.0.0.1', () => socket.write(text));
        socket.on('data', (chunk) => {
          got += chunk.toString('latin1');
        });
        socket.on('error', () => resolve(got)).on('close', () => resolve(got));
      });
    assert.match(
      await send('\u0016\u0003\u0001 no http\r\n\r\n'),
      /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\n\{"error":\{"message":"This is not an HTTP request\."\}\}$/,
    );
    assert.match(
      await send(`GET /v1/view HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(20_000)}\r\n`),
      /^HTTP\/1\.1 431 [\s\S]*"The headers are too long\."|^$/,
    );
    assert.match(await send('GET /v1/view HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 403/);
    const sockets = Array.from({ length: connectionsMax + 20 }, () =>
      net.connect(endpoint.port, '127.0.0.1').on('error', () => {}),
    );
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)));
    await Promise.race(closed);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    assert.equal((await ask({})).status, 200);
  });

  test('has metrics for Prometheus: counters, gauges and a histogram of the real figures', async () => {
    const hasWorked = /^shoal_messages_done_total\{[^}]*msu="work"[^}]*\} [1-9]/m;
    await waitUntil('work was done', async () => hasWorked.test((await ask({ path: '/metrics' })).body));
    const { status, body, headers } = await ask({ path: '/metrics' });
    assert.equal(status, 200);
    assert.match(String(headers['content-type']), /^text\/plain/);
    const value = (series: RegExp, text = body): number =>
      Number(new RegExp(`^${series.source} (\\S+)$`, 'm').exec(text)?.[1]);
    const labels = String.raw`\{[^}]*msu="work"[^}]*\}`;
    assert.ok(value(new RegExp(`shoal_messages_done_total${labels}`)) > 0, body);
    const asker = (name: string, more: string, text = body): number =>
      value(new RegExp(String.raw`${name}\{[^}]*msu="ask"[^}]*${more}[^}]*\}`), text);
    const sent = asker('shoal_port_sent_bytes_total', 'port="out.work"');
    assert.ok(sent > 0 && sent % 8 === 0, `${sent} bytes sent`);
    assert.ok(asker('shoal_port_received_bytes_total', 'port="out.work"') > 0, body);
    const served = value(/shoal_port_received_bytes_total\{[^}]*msu="work"[^}]*port="in.request"[^}]*\}/);
    // A sample reads one instance after the other, while they go on: what was received had been sent by the next one.
    let sentLater = sent;
    await waitUntil('more was sent', async () => {
      sentLater = asker(
        'shoal_port_sent_bytes_total',
        'port="out.work"',
        (await ask({ path: '/metrics' })).body,
      );
      return sentLater > sent;
    });
    assert.ok(served > 0 && served <= sentLater, `${served} of ${sentLater} bytes received`);
    assert.ok(asker('shoal_custom_counter', 'counter="done"') > 0, body);
    for (const name of ['orphans', 'notices_coalesced', 'notices_lost'])
      assert.equal(asker(`shoal_${name}_total`, ''), 0, name);
    const id = /^shoal_custom_counter\{[^}]*instance="(\d+)"/m.exec(body)?.[1];
    assert.match((await ask({ path: `/v1/explain/${id}` })).body, /It has counted: done \d+\./);
    assert.equal(value(/shoal_type_instances\{msu="work"\}/), 1);
    assert.ok(value(/shoal_machine_cores\{machine="local"\}/) >= 1);
    const buckets = [
      ...body.matchAll(/^shoal_sojourn_seconds_bucket\{[^}]*msu="work"[^}]*le="([^"]+)"\} (\d+)$/gm),
    ];
    assert.ok(buckets.length > 10, body);
    const counts = buckets.map((bucket) => Number(bucket[2]));
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
      'buckets are cumulative',
    );
    assert.equal(buckets.at(-1)?.[1], '+Inf');
    assert.equal(counts.at(-1), value(new RegExp(`shoal_sojourn_seconds_count${labels}`)));
  });

  test('carries out orders of a person, and logs them as decisions', async () => {
    const cloned = await ask({ method: 'POST', path: '/v1/clone', headers: json, body: '{"msu":"work"}' });
    const { decision } = JSON.parse(cloned.body) as {
      decision: { outcome: string; text: string; placements: { instanceId: number }[] };
    };
    assert.equal(cloned.status, 200, cloned.body);
    assert.match(decision.text, /clone work work#\d+ on local\/main, because ordered by a person/);
    const added = decision.placements[0]?.instanceId ?? 0;
    // The view follows the reports, by a sample period.
    const explained = (): Promise<Answer> => ask({ path: `/v1/explain/${added}` });
    await waitUntil('the clone is explained', async () => (await explained()).body.includes('"text"'));
    const ofAnotherType = JSON.stringify({ instanceId: added, msu: 'ask' });
    const mistaken = await ask({ method: 'POST', path: '/v1/remove', headers: json, body: ofAnotherType });
    assert.equal(mistaken.status, 404, mistaken.body);
    assert.match(mistaken.body, new RegExp(`Instance ${added} is of type \\\\"work\\\\"`));
    const body = JSON.stringify({ instanceId: added, msu: 'work' });
    const removed = await ask({ method: 'POST', path: '/v1/remove', headers: json, body });
    assert.equal(removed.status, 200, removed.body);
    assert.match((await ask({ path: '/v1/decisions' })).body, /ordered by a person/);
    await waitUntil('the clone is gone', async () => (await explained()).status === 404);
    const again = await ask({ method: 'POST', path: '/v1/remove', headers: json, body });
    assert.equal(again.status, 404, again.body);
  });
});
