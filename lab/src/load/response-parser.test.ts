import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createResponseParser, type ParsedResponse, ResponseSyntaxError } from './response-parser.ts';

const body = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const status = fc.constantFrom(200, 201, 301, 400, 404, 429, 500, 503);

/** A response and what it should be read as. */
const withLength = fc.tuple(status, body, fc.boolean()).map(([code, bytes, keep]) => ({
  bytes: Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${code} Some Reason\r\nContent-Length: ${bytes.length}\r\nX-Other: a:b\r\n${keep ? '' : 'Connection: close\r\n'}\r\n`,
    ),
    bytes,
  ]),
  expected: { status: code, bodyBytes: bytes.length, reusable: keep },
}));
const chunked = fc
  .tuple(status, fc.array(body, { maxLength: 5 }), fc.boolean())
  .map(([code, parts, trailer]) => {
    const chunks = parts.filter((part) => part.length > 0);
    return {
      bytes: Buffer.concat([
        Buffer.from(
          `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 ${code} OK\r\ntransfer-encoding: chunked\r\n\r\n`,
        ),
        ...chunks.flatMap((part) => [
          Buffer.from(`${part.length.toString(16)};name=value\r\n`),
          part,
          Buffer.from('\r\n'),
        ]),
        Buffer.from(trailer ? '0\r\nx-trailer: 1\r\n\r\n' : '0\r\n\r\n'),
      ]),
      expected: {
        status: code,
        bodyBytes: chunks.reduce((sum, part) => sum + part.length, 0),
        reusable: true,
      },
    };
  });

test('a response is read the same however its bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(withLength, chunked), { minLength: 1, maxLength: 3 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
      (responses, cuts) => {
        const parser = createResponseParser();
        for (const { bytes, expected } of responses) {
          let read: ParsedResponse | undefined;
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            assert.equal(read, undefined, 'finished too early');
            const end = Math.min(bytes.length, at + cuts[i % cuts.length]!);
            read = parser.push(bytes.subarray(at, end));
            at = end;
          }
          assert.deepEqual(read, expected);
          assert.equal(parser.started, false);
        }
      },
    ),
  );
});

test('a body without a stated length ends with the connection', () => {
  const parser = createResponseParser();
  assert.equal(parser.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\nabc')), undefined);
  assert.equal(parser.push(Buffer.from('de')), undefined);
  assert.deepEqual(parser.end(), { status: 200, bodyBytes: 5, reusable: false });
});

test('a connection that ends within a response gives no response', () => {
  const parser = createResponseParser();
  parser.push(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
  assert.equal(parser.end(), undefined);
  assert.equal(parser.started, true);
});

test('what is not HTTP, is endless, or goes on after the response is refused', () => {
  for (const text of [
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1${';'.repeat(2_000)}\r\n`,
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`,
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab',
  ]) {
    assert.throws(
      () => createResponseParser().push(Buffer.from(text)),
      ResponseSyntaxError,
      text.slice(0, 60),
    );
  }
});

test('arbitrary bytes either need more, or are refused, and never hang or crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (bytes, prefixed) => {
      const parser = createResponseParser();
      try {
        parser.push(Buffer.concat([Buffer.from(prefixed ? 'HTTP/1.1 200 OK\r\n' : ''), bytes]));
      } catch (error) {
        assert.ok(error instanceof ResponseSyntaxError);
      }
    }),
  );
});
