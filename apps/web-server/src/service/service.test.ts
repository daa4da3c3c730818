import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WebResponse } from '../http/response.ts';
import { createMemoryStore, embeddedObject, type ObjectStore } from './object-store.ts';
import { type Searcher, type SearchOutcome, search, searchInline } from './search.ts';
import { createService } from './service.ts';

function serve(
  method: string,
  url: string,
  parts: { body?: string; store?: ObjectStore; search?: Searcher } = {},
): Promise<WebResponse> {
  const service = createService({
    store: parts.store ?? createMemoryStore(),
    search: parts.search ?? searchInline,
    connections: () => 7,
    limits: { searchMaxCharacters: 50 },
    retryAfterSeconds: 3,
  });
  const body = parts.body === undefined ? null : Buffer.from(parts.body);
  return new Promise((resolve) => {
    const response = service({ method, url, body }, () => resolve);
    if (response !== null) resolve(response);
  });
}

test('objects are served from the store', async () => {
  const found = await serve('GET', '/object/999?version=1');
  assert.equal(found.status, 200);
  assert.deepEqual(found.body, embeddedObject(999));
  assert.equal(found.body.length, 1_024);
  for (const id of ['1000', '', '../etc/passwd', '%2e%2e', 'a'.repeat(65)]) {
    assert.equal((await serve('GET', `/object/${id}`)).status, 404, id);
  }
});

test('a store that fails is answered 503 with the time to wait', async () => {
  const store = { get: () => Promise.reject(new Error('gone')), close: async () => undefined };
  const response = await serve('GET', '/object/1', { store });
  assert.equal(response.status, 503);
  assert.equal(response.retryAfterSeconds, 3);
});

test('texts are searched, from the query or the body', async () => {
  const expected = JSON.stringify({ count: 2, labels: ['status', 'content-type'] });
  const text = 'status: 200 content-type: text';
  const query = `q=${encodeURIComponent(text)}`;
  for (const url of [
    `/search?${query}`,
    `/search?page=1&${query}&x=y`,
    `/search?${query.replaceAll('%20', '+')}`,
  ]) {
    assert.equal((await serve('GET', url)).body, expected, url);
  }
  assert.equal((await serve('POST', '/search', { body: text })).body, expected);
});

test('queries that are missing, badly encoded or too long are refused', async () => {
  for (const url of ['/search', '/search?p=1', '/search?q=%zz', `/search?q=${'a'.repeat(51)}`]) {
    assert.equal((await serve('GET', url)).status, 400, url);
  }
});

test('other methods and pages get the right statuses', async () => {
  assert.equal((await serve('DELETE', '/object/1')).allow, 'GET, HEAD');
  assert.equal((await serve('PUT', '/search?q=a')).status, 405);
  assert.equal((await serve('POST', '/health')).status, 405);
  assert.equal((await serve('GET', '/searching')).status, 404);
  assert.equal((await serve('GET', '/')).status, 404);
  assert.equal((await serve('GET', '/health')).body, JSON.stringify({ isAlive: true, connections: 7 }));
});

test('each way a search can end has its status', async () => {
  const outcomes: readonly (readonly [SearchOutcome, number])[] = [
    [{ outcome: 'done', count: 0, labels: [] }, 200],
    [{ outcome: 'busy' }, 503],
    [{ outcome: 'too-costly' }, 422],
    [{ outcome: 'failed' }, 500],
  ];
  for (const [outcome, status] of outcomes) {
    const later: Searcher = (_, defer) => {
      const answer = defer();
      queueMicrotask(() => answer(outcome));
      return null;
    };
    assert.equal((await serve('GET', '/search?q=a', { search: later })).status, status);
    assert.equal((await serve('GET', '/search?q=a', { search: () => outcome })).status, status);
  }
});

test('the search finds labels and reports the first of them', () => {
  assert.deepEqual(search('status: 200, content-type: text'), {
    count: 2,
    labels: ['status', 'content-type'],
  });
  assert.deepEqual(search('no labels here'), { count: 0, labels: [] });
  assert.equal(search('a-b: '.repeat(20)).labels.length, 16);
});
