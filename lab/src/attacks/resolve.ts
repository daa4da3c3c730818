import { z } from 'zod';
import { LabError } from '../lab-error.ts';
import type { AttackOptions, AttackStrength, ResolvedPlan } from './attack.ts';
import { attackNames, attacks } from './catalogue.ts';
import { type Phase, scaleRates } from './phases.ts';

/** The most an attack may be asked to do: bounds that hold whatever the caller wants. */
export const attackLimits: Readonly<
  Record<'requests' | 'inFlight' | 'durationMs' | 'ratePerSecond', number>
> = {
  requests: 1_000_000,
  inFlight: 60_000,
  durationMs: 4 * 3_600_000,
  ratePerSecond: 20_000,
};

const rate = z.number().min(0);
const durationMs = z.number().positive().max(attackLimits.durationMs);
const phase: z.ZodType<Phase, unknown> = z.discriminatedUnion('shape', [
  z.strictObject({ shape: z.literal('steady'), rate, durationMs }),
  z.strictObject({ shape: z.literal('ramp'), fromRate: rate, toRate: rate, durationMs }),
]);

const plan = z.object({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  phases: z.array(phase).min(1).max(1000),
  seed: z.int().default(1),
  maxRequests: z.int().min(1).max(attackLimits.requests).default(attackLimits.requests),
  maxInFlight: z.int().min(1).max(attackLimits.inFlight).default(512),
  timeoutMs: z.number().positive().max(600_000).default(30_000),
  tls: z.boolean().default(true),
  localAddresses: z.array(z.string().min(1)).max(1000).default([]),
  startAtEpochMs: z.number().min(0).default(0),
  strength: z.strictObject({ cpuSecondsPerRequest: z.number().positive() }).optional(),
  attack: z.enum(attackNames as [string, ...string[]]),
  settings: z.unknown().optional(),
});

function complain(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[]): string[] {
  return issues.map((issue) => `${[...prefix, ...issue.path].map(String).join('.')}: ${issue.message}`);
}

function rateMax(phases: readonly Phase[]): number {
  return Math.max(
    0,
    ...phases.flatMap((one) => (one.shape === 'steady' ? [one.rate] : [one.fromRate, one.toRate])),
  );
}

/** Turns cores' worth into requests per second, where a strength is given. */
function inRequests(phases: readonly Phase[], strength: AttackStrength | undefined): readonly Phase[] {
  return strength === undefined ? phases : scaleRates(phases, 1 / strength.cpuSecondsPerRequest);
}

/** Fills in every default and turns cores' worth into requests per second; throws one `LabError` that lists all faults. */
export function resolveAttack(options: AttackOptions): ResolvedPlan {
  const parsed = plan.safeParse(options);
  const faults = parsed.success ? [] : complain(parsed.error.issues, []);
  const definition = attacks[options.attack];
  if (definition !== undefined) {
    const settings = definition.settings.safeParse(options.settings ?? {});
    if (!settings.success) faults.push(...complain(settings.error.issues, ['settings']));
    if (options.attack === 'mixed' && options.strength !== undefined)
      faults.push(
        'strength: give it to each of the members of "mixed" instead; one of their requests costs unlike another',
      );
    if (options.attack === 'mixed')
      for (const [index, member] of (options.settings?.members ?? []).entries()) {
        const memberSettings = attacks[member.attack]?.settings.safeParse(member.settings ?? {});
        if (memberSettings?.success === false)
          faults.push(...complain(memberSettings.error.issues, ['settings', 'members', index, 'settings']));
      }
  }
  if (!parsed.success || faults.length > 0)
    throw new LabError(`The attack cannot start:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  const { strength, attack: _attack, settings: _settings, ...resolved } = parsed.data;
  const phases = inRequests(resolved.phases, strength);
  // The members of a mixed attack have a strength each.
  const allPhases =
    options.attack === 'mixed'
      ? (options.settings?.members ?? []).flatMap((member) => inRequests(resolved.phases, member.strength))
      : phases;
  const fastest = rateMax(allPhases);
  if (fastest > attackLimits.ratePerSecond)
    throw new LabError(
      `The attack cannot start:\n  phases: ${Math.round(fastest)} requests per second are more than the ` +
        `${attackLimits.ratePerSecond} allowed`,
    );
  return { ...resolved, phases };
}
