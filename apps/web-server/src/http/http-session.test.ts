import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultWebLimits } from '../limits.ts';
import type { Answer, Service } from '../service/service.ts';
import { HttpSession } from './http-session.ts';
import { llhttp } from './llhttp.ts';
import { textResponse } from './response.ts';

/** A session with a service that answers `/now/N` at once and `/later/N` when told to. */
function createTrial() {
  const clock = { nowMs: 0 };
  const waiting: { url: string; answer: Answer }[] = [];
  const events: string[] = [];
  let sent = '';
  const service: Service = ({ url }, defer) => {
    if (url.startsWith('/now/')) return textResponse(200, url);
    waiting.push({ url, answer: defer() });
    return null;
  };
  const limits = { ...defaultWebLimits, pipelineMax: 4 };
  const session = new HttpSession(service, limits, clock, {
    transmit: (bytes, isLast) => {
      sent += bytes.toString('latin1');
      if (isLast) events.push('last');
    },
    closeQuietly: () => events.push('quiet'),
    holdReading: (isHeld) => events.push(isHeld ? 'hold' : 'go on'),
  });
  return {
    session,
    clock,
    waiting,
    events,
    limits,
    push: (text: string) => session.push(Buffer.from(text, 'latin1')),
    answer: (index = 0) => {
      const [taken] = waiting.splice(index, 1);
      taken?.answer(textResponse(200, taken.url));
    },
    /** Bodies of the responses so far. */
    bodies: () => [...sent.matchAll(/^(\/\w+\/\d+)$/gm)].map((match) => match[1]),
    statuses: () => [...sent.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1])),
    sent: () => sent,
  };
}

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

test('responses keep the order of their requests, in whatever order they are made and the bytes come', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
      (kinds, choices) => {
        const trial = createTrial();
        const paths = kinds.map((isNow, i) => `/${isNow ? 'now' : 'later'}/${i}`);
        const stream = paths.map((path) => get(path)).join('');
        let at = 0;
        let i = 0;
        // Bytes come and answers are made by turns of any length.
        while (at < stream.length || trial.waiting.length > 0) {
          const choice = choices[i++ % choices.length] ?? 0;
          if (at < stream.length && (choice % 2 === 0 || trial.waiting.length === 0)) {
            const end = at + 1 + (choice % 97);
            trial.push(stream.slice(at, end));
            at = end;
          } else trial.answer(choice % trial.waiting.length);
          assert.ok(
            trial.waiting.length <= trial.limits.pipelineMax,
            'never more in progress than the limit',
          );
        }
        assert.deepEqual(trial.bodies(), paths);
        trial.session.close();
      },
    ),
    { numRuns: 300 },
  );
});

test('reading stops while too many answers are missing, and goes on afterwards', () => {
  const trial = createTrial();
  trial.push([0, 1, 2, 3, 4, 5].map((i) => get(`/later/${i}`)).join(''));
  assert.equal(trial.waiting.length, 4);
  assert.deepEqual(trial.events, ['hold']);
  trial.answer();
  trial.answer();
  assert.equal(trial.waiting.length, 4);
  trial.answer();
  assert.deepEqual(trial.events, ['hold', 'go on', 'hold', 'go on'].slice(0, trial.events.length));
  while (trial.waiting.length > 0) trial.answer();
  assert.equal(trial.events.at(-1), 'go on');
  assert.deepEqual(
    trial.bodies(),
    [0, 1, 2, 3, 4, 5].map((i) => `/later/${i}`),
  );
  trial.session.close();
});

test('bad bytes are refused after the answers that are owed, and nothing follows', () => {
  const trial = createTrial();
  trial.push(`${get('/later/1')}nonsense / HTTP/1.1\r\n\r\n${get('/now/2')}`);
  assert.equal(trial.sent(), '');
  trial.answer();
  assert.deepEqual(trial.statuses(), [200, 501]);
  assert.deepEqual(trial.events, ['last']);
  trial.push(get('/now/3'));
  assert.deepEqual(trial.statuses(), [200, 501]);
  trial.session.close();
});

test('a request with Connection: close is the last', () => {
  const trial = createTrial();
  trial.push(get('/later/1', 'Connection: close\r\n') + get('/now/2'));
  trial.answer();
  assert.deepEqual(trial.bodies(), ['/later/1']);
  assert.match(trial.sent(), /Connection: close/);
  assert.deepEqual(trial.events, ['hold', 'last']);
  trial.session.close();
});

test('each part of a request has its own time', () => {
  const { idleTimeoutMs, headersTimeoutMs, bodyTimeoutMs } = defaultWebLimits;
  const after = (bytes: string, timeoutMs: number) => {
    const trial = createTrial();
    trial.push(bytes);
    trial.clock.nowMs = timeoutMs - 1;
    trial.session.sweep();
    assert.deepEqual(trial.events, [], 'not yet');
    trial.clock.nowMs = timeoutMs;
    trial.session.sweep();
    trial.session.close();
    return trial;
  };
  assert.deepEqual(after('', idleTimeoutMs).events, ['quiet']);
  assert.deepEqual(after('GET / HT', headersTimeoutMs).statuses(), [408]);
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc';
  assert.deepEqual(after(post, bodyTimeoutMs).statuses(), [408]);
});

test('each of many requests has its own time, also where its bytes end within the next one', () => {
  const trial = createTrial();
  const stepMs = defaultWebLimits.headersTimeoutMs - 1;
  trial.push('GET /now/0 HTTP/1.1\r\nHo');
  for (let i = 1; i <= 5; i++) {
    trial.clock.nowMs += stepMs;
    trial.push(`st: a\r\n\r\nGET /now/${i} HTTP/1.1\r\nHo`);
    trial.session.sweep();
  }
  assert.deepEqual(trial.statuses(), [200, 200, 200, 200, 200]);
  assert.deepEqual(trial.events, []);
  trial.clock.nowMs += stepMs + 1;
  trial.session.sweep();
  assert.equal(trial.statuses().at(-1), 408, 'the last one is late');
  trial.session.close();
});

test('blank lines between requests keep no connection open', () => {
  const trial = createTrial();
  trial.push(get('/now/1'));
  for (let i = 0; i < 4 && trial.events.length === 0; i++) {
    trial.clock.nowMs += defaultWebLimits.idleTimeoutMs / 2;
    trial.push('\r\n');
    trial.session.sweep();
  }
  assert.equal(trial.clock.nowMs, defaultWebLimits.idleTimeoutMs);
  assert.deepEqual(trial.events, ['quiet']);
  trial.session.close();
});

test('headers that trickle in get no more time than others', () => {
  const trial = createTrial();
  trial.push('GET / HTTP/1.1\r\n');
  for (let i = 1; i <= 100; i++) {
    trial.clock.nowMs = (i * defaultWebLimits.headersTimeoutMs) / 100;
    trial.push(`X-${i}: a\r\n`.slice(0, 9));
    trial.session.sweep();
  }
  assert.deepEqual(trial.statuses(), [408]);
  assert.deepEqual(trial.events, ['last']);
  trial.session.close();
});

test('the time of a client does not run while it waits for us', () => {
  const trial = createTrial();
  trial.push(get('/later/1'));
  trial.clock.nowMs = 10 * defaultWebLimits.idleTimeoutMs;
  trial.session.sweep();
  trial.answer();
  assert.deepEqual(trial.statuses(), [200]);
  assert.deepEqual(trial.events, []);
  trial.session.close();
});

test('a client that is done sending still gets its answers', () => {
  const trial = createTrial();
  trial.push(get('/later/1'));
  trial.session.finish();
  assert.deepEqual(trial.events, []);
  trial.answer();
  assert.deepEqual(trial.bodies(), ['/later/1']);
  assert.deepEqual(trial.events, ['quiet']);
  trial.session.close();
});

test('a client that is done in the middle of a request is told so', () => {
  const trial = createTrial();
  trial.push('GET / HTTP/1.1\r\nHos');
  trial.session.finish();
  assert.deepEqual(trial.statuses(), [400]);
  assert.deepEqual(trial.events, ['last']);
  trial.session.close();
});

test('draining ends an idle connection at once, and a busy one with its answer', () => {
  const idle = createTrial();
  idle.session.drain();
  assert.deepEqual(idle.events, ['quiet']);
  const busy = createTrial();
  busy.push(get('/later/1') + get('/later/2'));
  busy.session.drain();
  busy.answer();
  busy.answer();
  assert.deepEqual(busy.bodies(), ['/later/1', '/later/2']);
  assert.equal(busy.sent().match(/Connection: close/g)?.length, 1, 'the last one says so');
  assert.ok(busy.sent().lastIndexOf('Connection: close') > busy.sent().indexOf('/later/1'));
  for (const trial of [idle, busy]) trial.session.close();
});

test('HEAD is answered without a body', () => {
  const trial = createTrial();
  trial.push('HEAD /now/1 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(trial.sent(), /Content-Length: 7\r\n/);
  assert.ok(trial.sent().endsWith('\r\n\r\n'));
  trial.session.close();
});

test('a service that throws leaves no parser behind', () => {
  const before = llhttp().parsers();
  const service: Service = () => {
    throw new Error('the service is broken');
  };
  const nothing = { transmit: () => undefined, closeQuietly: () => undefined, holdReading: () => undefined };
  const session = new HttpSession(service, defaultWebLimits, { nowMs: 0 }, nothing);
  assert.throws(() => session.push(Buffer.from(get('/now/1'))), /the service is broken/);
  session.close();
  assert.equal(llhttp().parsers(), before);
});

test('closed sessions give their parsers back and take late answers without a word', () => {
  const before = llhttp().parsers();
  const trial = createTrial();
  trial.push(get('/later/1'));
  assert.equal(llhttp().parsers(), before + 1);
  trial.session.close();
  trial.answer();
  assert.equal(trial.sent(), '');
  assert.equal(llhttp().parsers(), before);
});
