import { z } from 'zod';
import type { AttackDefinition } from './attack.ts';
import { createHttpAttacker } from './http-attacker.ts';
import { pace } from './pace.ts';
import { redosInput } from './redos-patterns.ts';

export interface RedosSettings {
  /** Path of the request; `{input}` is where the text goes, percent-encoded. Default `/match?text={input}`. */
  readonly path: string;
  /** Letters in the text; one more doubles the time. Default 25, about 0.1 s in today's V8. 1 to 40. */
  readonly length: number;
  /** Send over kept-alive connections (the default, cheap for the attacker) or a new one each time. */
  readonly keepAlive: boolean;
}

/** Regular-expression denial of service: a text that makes a backtracking pattern try every split. */
export const redos: AttackDefinition<'redos'> = {
  name: 'redos',
  title: 'Sends a short text that makes a backtracking regular expression take exponential time.',
  needs: [
    'A route that matches text from the request against a pattern with nested repetition (see redos-patterns.ts).',
    'For the variant that no engine flag cures, the pattern has a look-around; the curable variant has none.',
  ],
  exhausts: 'cpu',
  settings: z.strictObject({
    path: z.string().startsWith('/').includes('{input}').default('/match?text={input}'),
    length: z.int().min(1).max(40).default(25),
    keepAlive: z.boolean().default(true),
  }),
  prepare(settings) {
    const path = settings.path.replace('{input}', encodeURIComponent(redosInput(settings.length)));
    return (context) => {
      const attacker = createHttpAttacker(context, { keepAlive: settings.keepAlive });
      return pace(context, () => attacker.send({ method: 'GET', path })).finally(() => attacker.close());
    };
  },
};
