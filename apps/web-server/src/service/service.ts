/**
 * What the server does with a request, whoever runs it: the monolith, its cluster, `node:https`, or the http MSU.
 *
 *   GET  /object/ID     an object of the object tier
 *   GET  /search?q=TEXT labels in a text (POST: the text is the body)
 *   GET  /health        whether it is alive, and how many connections it holds state for
 */
import type { WebRequest } from '../http/request-parser.ts';
import { busyResponse, textResponse, type WebResponse } from '../http/response.ts';
import type { WebLimits } from '../limits.ts';
import type { ObjectStore } from './object-store.ts';
import type { Searcher, SearchOutcome } from './search.ts';

export type Answer = (response: WebResponse) => void;

/**
 * Answers a request: returns the response, or null after asking `defer` for the function to call with it later,
 * exactly once. The request is valid only during the call.
 */
export type Service = (request: WebRequest, defer: () => Answer) => WebResponse | null;

export interface ServiceParts {
  readonly store: ObjectStore;
  readonly search: Searcher;
  /** Connections with state, for `/health`. */
  readonly connections: () => number;
  readonly limits: Pick<WebLimits, 'searchMaxCharacters'>;
  /** For `Retry-After` where the service is too busy, seconds. */
  readonly retryAfterSeconds: number;
}

const objectPath = '/object/';
const searchPath = '/search';
const objectId = /^[\w-]{1,64}$/;

const noSuchPage = textResponse(404, 'no such page');
const noSuchObject = textResponse(404, 'no such object');
const badQuery = textResponse(400, 'q is not properly encoded');
const getOnly: WebResponse = { ...textResponse(405, 'GET and HEAD only'), allow: 'GET, HEAD' };
const getAndPost: WebResponse = { ...textResponse(405, 'GET, HEAD and POST only'), allow: 'GET, HEAD, POST' };
const tooCostly = textResponse(422, 'searching this text takes too long');
const searchFailed = textResponse(500, 'the search failed');

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The text to search; or the response that says what is wrong with it. */
function searchText(request: WebRequest, limits: ServiceParts['limits']): string | WebResponse {
  let text: string;
  if (request.method === 'POST') {
    text = request.body?.toString('utf8') ?? '';
  } else if (isReading(request.method)) {
    const start = request.url.indexOf('?q=', searchPath.length);
    const alternative = start === -1 ? request.url.indexOf('&q=', searchPath.length) : start;
    if (alternative === -1) return textResponse(400, 'q is missing: /search?q=TEXT');
    const end = request.url.indexOf('&', alternative + 3);
    const raw = request.url.slice(alternative + 3, end === -1 ? undefined : end);
    try {
      text = raw.includes('%') || raw.includes('+') ? decodeURIComponent(raw.replaceAll('+', ' ')) : raw;
    } catch {
      return badQuery;
    }
  } else {
    return getAndPost;
  }
  if (text.length > limits.searchMaxCharacters) {
    return textResponse(400, `the text is longer than ${limits.searchMaxCharacters} characters`);
  }
  return text;
}

export function createService(parts: ServiceParts): Service {
  const { store, search, limits } = parts;
  const searchBusy = busyResponse('too many searches at the moment', parts.retryAfterSeconds);
  const storeBusy = busyResponse('the object tier does not answer', parts.retryAfterSeconds);

  const objectResponse = (bytes: Uint8Array | null): WebResponse =>
    bytes === null ? noSuchObject : { status: 200, type: 'application/octet-stream', body: bytes };

  const searchResponse = (outcome: SearchOutcome): WebResponse => {
    switch (outcome.outcome) {
      case 'done':
        return {
          status: 200,
          type: 'application/json',
          body: JSON.stringify({ count: outcome.count, labels: outcome.labels }),
        };
      case 'busy':
        return searchBusy;
      case 'too-costly':
        return tooCostly;
      case 'failed':
        return searchFailed;
    }
  };

  const answerObject: Service = (request, defer) => {
    if (!isReading(request.method)) return getOnly;
    const end = request.url.indexOf('?', objectPath.length);
    const id = request.url.slice(objectPath.length, end === -1 ? undefined : end);
    if (!objectId.test(id)) return noSuchObject;
    const found = store.get(id);
    if (!(found instanceof Promise)) return objectResponse(found);
    const answer = defer();
    found.then(
      (bytes) => answer(objectResponse(bytes)),
      () => answer(storeBusy),
    );
    return null;
  };

  const answerSearch: Service = (request, defer) => {
    const text = searchText(request, limits);
    if (typeof text !== 'string') return text;
    const outcome = search(text, () => {
      const answer = defer();
      return (later) => answer(searchResponse(later));
    });
    return outcome === null ? null : searchResponse(outcome);
  };

  return (request, defer) => {
    const { url } = request;
    if (url.startsWith(objectPath)) return answerObject(request, defer);
    if (url === searchPath || url.startsWith('/search?')) return answerSearch(request, defer);
    if (url === '/health') {
      if (!isReading(request.method)) return getOnly;
      const body = JSON.stringify({ isAlive: true, connections: parts.connections() });
      return { status: 200, type: 'application/json', body };
    }
    return noSuchPage;
  };
}
