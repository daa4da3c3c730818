import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isOwnHost, isSameSecret, refusalOf } from './guard.ts';

test('two secrets are the same if and only if their texts are', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(isSameSecret(a, b), a === b);
      assert.ok(isSameSecret(a, a));
    }),
  );
});

test('only the loopback names with the right port are our host', () => {
  for (const host of ['127.0.0.1:80', 'LOCALHOST:80', '[::1]:80']) assert.ok(isOwnHost(host, 80), host);
  for (const host of [
    undefined,
    '',
    '127.0.0.1',
    'localhost:8',
    '0.0.0.0:80',
    'a@127.0.0.1:80',
    '127.0.0.1:80.evil',
    '127.0.0.1:080',
  ]) {
    assert.equal(isOwnHost(host, 80), false, host);
  }
});

test('no host but ours is ever let through, whatever else a request brings', () => {
  fc.assert(
    fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (host, origin) => {
      fc.pre(!isOwnHost(host, 80));
      assert.equal(refusalOf({ host, origin, authorization: 'Bearer right' }, 80, 'right')?.status, 403);
    }),
  );
});
