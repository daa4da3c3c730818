import { setMaxListeners } from 'node:events';
import { z } from 'zod';
import type {
  AttackChoice,
  AttackContext,
  AttackDefinition,
  AttackStrength,
  PreparedAttack,
} from './attack.ts';
import { scaleRates, slicePhases, totalDurationMs } from './phases.ts';
import { type Random, seededRandom } from './random.ts';

/** One of the attacks that take turns. */
export type MixedMember = Exclude<AttackChoice, { readonly attack: 'mixed' }> & {
  /** When given, the plan's rates are cores' worth for this member too; else they are its requests per second. */
  readonly strength?: AttackStrength;
};

export interface MixedSettings {
  /** The attacks that take turns. Default: redos, tls-handshake, hash-collision and decompression-bomb. */
  readonly members: readonly MixedMember[];
  /** How long a turn lasts, in ms. Default 30,000. 100 to 3,600,000. */
  readonly periodMs: number;
}

/**
 * The members' turns: rounds in which each comes once, in an order drawn anew for every round, and never the
 * same member twice running.
 */
export function turns(members: number, count: number, random: Random): number[] {
  const order: number[] = [];
  while (order.length < count) {
    const round = Array.from({ length: members }, (_, index) => index);
    for (let last = round.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [round[last], round[other]] = [round[other]!, round[last]!];
    }
    if (members > 1 && round[0] === order.at(-1)) round.push(round.shift()!);
    order.push(...round);
  }
  return order.slice(0, count);
}

async function attack(
  context: AttackContext,
  settings: MixedSettings,
  prepared: readonly PreparedAttack[],
): Promise<void> {
  const { plan, meter, signal } = context;
  const { members, periodMs } = settings;
  const endMs = totalDurationMs(plan.phases);
  const order = turns(members.length, Math.ceil(endMs / periodMs), seededRandom(plan.seed));
  for (const [turn, index] of order.entries()) {
    if (signal.aborted || meter.sent >= plan.maxRequests) break;
    const member = members[index]!;
    const slice = slicePhases(plan.phases, turn * periodMs, Math.min(endMs, (turn + 1) * periodMs));
    const phases =
      member.strength === undefined ? slice : scaleRates(slice, 1 / member.strength.cpuSecondsPerRequest);
    meter.active = member.attack;
    // A turn's requests end with it, so that one attack is over when the next begins.
    const turnOver = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(totalDurationMs(phases)))]);
    setMaxListeners(0, turnOver);
    const maxRequests = plan.maxRequests - meter.sent;
    await prepared[index]!({
      plan: { ...plan, phases, seed: plan.seed + turn + 1, maxRequests },
      meter,
      signal: turnOver,
    });
  }
}

const strength: z.ZodType<AttackStrength, unknown> = z.strictObject({
  cpuSecondsPerRequest: z.number().positive(),
});

/** Moves from one attack to the next, so that a defence made for one meets another. */
export const mixed: AttackDefinition<'mixed'> = {
  name: 'mixed',
  title: 'Moves on to another attack every 30 s, in an order drawn from the seed.',
  needs: ['What each of its members needs.'],
  exhausts: 'cpu',
  settings: z.strictObject({
    members: z
      .array(
        z.strictObject({
          attack: z.enum([
            'redos',
            'tls-handshake',
            'tls-renegotiation',
            'slowloris',
            'hash-collision',
            'decompression-bomb',
          ]),
          settings: z.record(z.string(), z.unknown()).optional(),
          strength: strength.optional(),
        }),
      )
      .min(1)
      .max(32)
      .default([
        { attack: 'redos' },
        { attack: 'tls-handshake' },
        { attack: 'hash-collision' },
        { attack: 'decompression-bomb' },
      ]) as unknown as z.ZodType<readonly MixedMember[]>,
    periodMs: z.int().min(100).max(3_600_000).default(30_000),
  }),
  async prepare(settings, plan, prepareOther) {
    const prepared = await Promise.all(settings.members.map((member) => prepareOther(member, plan)));
    return (context) => attack(context, settings, prepared);
  },
};
