/**
 * The costly function of the service: which labels (`status:`, `content-type:`) does a text hold?
 *
 * The pattern is vulnerable, as patterns in real services are: a group that repeats what repeats in it, so a run of
 * letters without a colon is divided in every possible way before it is given up: each further letter doubles the
 * time. Look-behind, look-ahead and a back-reference keep it out of reach of engines that never backtrack.
 */
const labels = /(?<![\w-])(?:([a-z])(?:[a-z]*-?)+)(?=:)(?!:\1)/g;

/** Labels reported; the rest is only counted. */
const reportedMax = 16;

export interface SearchResult {
  readonly count: number;
  /** The first of them. */
  readonly labels: readonly string[];
}

/** Finds the labels of a text. Synchronous, and slow for hostile texts. */
export function search(text: string): SearchResult {
  const found = text.match(labels) ?? [];
  return { count: found.length, labels: found.slice(0, reportedMax) };
}

/** How a search that was passed on came back. */
export type SearchOutcome =
  | { readonly outcome: 'done'; readonly count: number; readonly labels: readonly string[] }
  /** Refused, or not worth doing any more: nothing is wrong with the request itself. */
  | { readonly outcome: 'busy' }
  /** It took longer than a search may take. */
  | { readonly outcome: 'too-costly' }
  | { readonly outcome: 'failed' };

/**
 * Runs searches: at once (in the monolith), or elsewhere. Returns the outcome, or calls the function that `defer`
 * gives exactly once, later.
 */
export type Searcher = (text: string, defer: () => (outcome: SearchOutcome) => void) => SearchOutcome | null;

/** The searcher of a program without Shoal: on the spot, and everything else waits. */
export const searchInline: Searcher = (text) => ({ outcome: 'done', ...search(text) });
