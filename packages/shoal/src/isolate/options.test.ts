import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveIsolateOptions } from './options.ts';

test('an option of isolate that is undefined is one that is not given', () => {
  const names = ['export', 'runLimitMs', 'deadlineMs', 'timeoutMs', 'instances', 'instancesMax'] as const;
  const options = Object.fromEntries(
    [...names, 'concurrency', 'heapMaxMiB'].map((name) => [name, undefined]),
  );
  const url = 'file:///search.js';
  assert.deepEqual(resolveIsolateOptions(url, options, 2), resolveIsolateOptions(url, {}, 2));
});
