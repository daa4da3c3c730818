/**
 * **regex**: searches a text. The one part whose cost an outsider chooses, so it is cut off from everything else:
 * no state, any instance can serve any text, a search that runs too long costs its thread and nothing more.
 */
import { defineMsu, type MsuType, type Serves, serves } from 'shoal';
import { search } from '../service/search.ts';
import type { WebSettings } from '../settings.ts';
import { type FoundMessage, found, foundMessage, type SearchMessage, searchMessage } from './messages.ts';

export type RegexMsu = MsuType<{ readonly search: Serves<SearchMessage, FoundMessage> }>;

export function defineRegex(settings: WebSettings): RegexMsu {
  return defineMsu({
    name: 'regex',
    state: 'none',
    execution: 'sync',
    order: 'sjf',
    deadlineMs: settings.searchDeadlineMs,
    runLimitMs: settings.searchRunLimitMs,
    queueMaxMessages: settings.searchQueueMax,
    queueMaxWorkMs: settings.searchQueueMaxMs,
    cost: { serviceTimeMs: 0.1, memoryMiB: 16 },
    in: { search: serves(searchMessage, foundMessage) },
    create: () => ({ search: ({ text }) => found(search(text)) }),
  }) as RegexMsu;
}
