import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultWebLimits, type WebLimits } from '../limits.ts';
import { llhttp } from './llhttp.ts';
import { RequestParser } from './request-parser.ts';

interface Parsed {
  readonly requests: readonly { method: string; url: string; body: string; isKeepAlive: boolean }[];
  readonly status: number;
}

/** Parses pieces of bytes with a parser of its own. */
function parse(pieces: readonly (string | Uint8Array)[], limits: WebLimits = defaultWebLimits): Parsed {
  const requests: { method: string; url: string; body: string; isKeepAlive: boolean }[] = [];
  const parser = new RequestParser(limits, {
    onRequest: ({ method, url, body }, isKeepAlive) => {
      requests.push({ method, url, body: body?.toString('latin1') ?? '', isKeepAlive });
      return true;
    },
    onExpectContinue: () => undefined,
  });
  for (const piece of pieces) parser.push(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  const status = parser.failure?.status ?? 0;
  parser.free();
  return { requests, status };
}

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

test('requests are the same however their bytes are cut', () => {
  const stream = Buffer.from(
    [
      get('/object/1', 'X-Empty:\r\nExpectation: none\r\nHostage: x\r\n'),
      'POST /search HTTP/1.1\r\nhost: a\r\ncontent-LENGTH: 11\r\n\r\nstatus: 200',
      'POST /search HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;name=value\r\nabc\r\n5\r\ndefgh\r\n0\r\nTrailer: x\r\n\r\n',
      'HEAD / HTTP/1.0\r\n\r\n',
    ].join(''),
    'latin1',
  );
  const whole = parse([stream]);
  assert.equal(whole.status, 0);
  assert.deepEqual(
    whole.requests.map(({ method, url, body, isKeepAlive }) => [method, url, body, isKeepAlive]),
    [
      ['GET', '/object/1', '', true],
      ['POST', '/search', 'status: 200', true],
      ['POST', '/search', 'abcdefgh', true],
      ['HEAD', '/', '', false],
    ],
  );
  fc.assert(
    fc.property(fc.array(fc.nat({ max: stream.length }), { maxLength: 40 }), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const pieces = places.slice(1).map((place, i) => stream.subarray(places[i], place));
      assert.deepEqual(parse(pieces).requests, whole.requests);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(
    parse([...stream].map((byte) => Uint8Array.of(byte))).requests,
    whole.requests,
    'byte by byte',
  );
});

test('any bytes at all end in requests or in a failure, and never throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (pieces) => {
      const { status, requests } = parse([get('/'), ...pieces]);
      assert.equal(requests[0]?.url, '/');
      assert.ok(status === 0 || (status >= 400 && status <= 505));
    }),
    { numRuns: 500 },
  );
});

/** Ways to make two servers see different requests, and other things that must not pass. */
const refused: readonly (readonly [string, string, number])[] = [
  [
    'both lengths',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  [
    'both lengths, other order',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 400],
  [
    'two equal lengths',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
    400,
  ],
  ['a length list', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc', 400],
  ['a signed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc', 400],
  ['a negative length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc', 400],
  ['an endless length', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${'9'.repeat(30)}\r\n\r\nabc`, 400],
  [
    'chunked not last',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['chunked disguised', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 400],
  ['chunked with a tab', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n', 400],
  [
    'a blank before the colon',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n', 400],
  [
    'a chunk size with a sign',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n',
    400,
  ],
  [
    'a chunk size in 0x form',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n',
    400,
  ],
  [
    'a chunk longer than it says',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n',
    400,
  ],
  ['lines that end in LF alone', 'GET / HTTP/1.1\nHost: a\n\n', 505],
  ['a header line that ends in LF alone', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n', 400],
  ['a zero byte in a header', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['an unknown method', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['a method in small letters', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['HTTP/3 by name', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505],
  ['an unknown expectation', 'POST / HTTP/1.1\r\nHost: a\r\nExpect: much\r\nContent-Length: 1\r\n\r\na', 417],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01', 501],
];

for (const [name, bytes, status] of refused) {
  test(`refused with ${status}: ${name}`, () => {
    const whole = parse([bytes]);
    assert.equal(whole.status, status);
    assert.equal(whole.requests.length, 0);
    const cut = parse([...bytes]);
    assert.equal(cut.status, status, 'byte by byte too');
  });
}

test('every limit holds, in one piece and byte by byte', () => {
  const limits = {
    ...defaultWebLimits,
    urlMaxBytes: 50,
    headersMaxBytes: 300,
    headersMaxCount: 5,
    bodyMaxBytes: 20,
  };
  const cases: readonly (readonly [string, string, number])[] = [
    ['url', get(`/${'a'.repeat(50)}`), 414],
    ['header count', get('/', 'A: b\r\n'.repeat(5)), 431],
    ['one long value', get('/', `A: ${'b'.repeat(400)}\r\n`), 431],
    ['one long name', get('/', `${'b'.repeat(400)}: a\r\n`), 431],
    ['declared body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n', 413],
    [
      'chunked body',
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n${'a'.repeat(21)}\r\n`,
      413,
    ],
  ];
  for (const [name, bytes, status] of cases) {
    assert.equal(parse([bytes], limits).status, status, name);
    assert.equal(parse([...bytes], limits).status, status, `${name}, byte by byte`);
  }
  assert.equal(parse([get(`/${'a'.repeat(49)}`, 'A: b\r\n'.repeat(4))], limits).status, 0, 'at the limits');
});

test('what llhttp does not report is bounded as well: blanks, chunk extensions, trailers', () => {
  const limits = { ...defaultWebLimits, headersMaxBytes: 300, bodyMaxBytes: 20 };
  const blanks = ['GET / HTTP/1.1\r\nHost: a\r\nX:', ...' '.repeat(400)];
  assert.equal(parse(blanks, limits).status, 431);
  const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  assert.equal(parse([chunked, '1', ...`;${'x'.repeat(400)}`], limits).status, 413);
  assert.equal(parse([`${chunked}0\r\nX: ${'t'.repeat(400)}\r\n\r\n`], limits).status, 431);
});

test('a long stream of requests is no long request, wherever it is cut', () => {
  const one = get('/', `X: ${'y'.repeat(1_000)}\r\n`);
  const stream = Buffer.from(one.repeat(200));
  for (const size of [16_384, 16_000, 1_460, 700, 100]) {
    const pieces = [];
    for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size));
    const { requests, status } = parse(pieces);
    assert.equal(status, 0, `cut every ${size} bytes`);
    assert.equal(requests.length, 200);
  }
});

test('a paused parser keeps what it was given and goes on where it stopped', () => {
  const urls: string[] = [];
  const parser = new RequestParser(defaultWebLimits, {
    onRequest: ({ url }) => {
      urls.push(url);
      return false;
    },
    onExpectContinue: () => undefined,
  });
  parser.push(Buffer.from(get('/1') + get('/2')));
  parser.push(Buffer.from(get('/3')));
  assert.deepEqual(urls, ['/1']);
  assert.equal(parser.isPaused, true);
  parser.resume();
  parser.resume();
  assert.deepEqual(urls, ['/1', '/2', '/3']);
  parser.free();
});

test('an offer to upgrade is ignored, and the next request is served', () => {
  const upgrade = get('/1', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n');
  assert.deepEqual(
    parse([upgrade + get('/2')]).requests.map(({ url }) => url),
    ['/1', '/2'],
  );
});

test('the body of a request may wait for 100 Continue', () => {
  let asked = 0;
  const parser = new RequestParser(defaultWebLimits, {
    onRequest: () => true,
    onExpectContinue: () => {
      asked += 1;
    },
  });
  parser.push(Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n'));
  assert.equal(asked, 1);
  assert.equal(parser.phase, 'body');
  parser.push(Buffer.from('a'));
  assert.equal(parser.phase, 'idle');
  parser.free();
});

test('freed parsers are given back, once', () => {
  const before = llhttp().parsers();
  const parsers = Array.from(
    { length: 100 },
    () => new RequestParser(defaultWebLimits, { onRequest: () => true, onExpectContinue: () => undefined }),
  );
  assert.equal(llhttp().parsers(), before + 100);
  for (const parser of parsers) {
    parser.free();
    parser.free();
    parser.push(Buffer.from(get('/')));
  }
  assert.equal(llhttp().parsers(), before);
});
