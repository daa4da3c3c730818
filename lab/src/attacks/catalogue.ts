import type { AttackDefinition, AttackName, PrepareAttack, PreparedAttack, ResolvedPlan } from './attack.ts';
import { decompressionBomb } from './decompression-bomb.ts';
import { hashCollision } from './hash-collision.ts';
import { mixed } from './mixed.ts';
import { redos } from './redos.ts';
import { slowloris } from './slowloris.ts';
import { tlsHandshake } from './tls-handshake.ts';
import { tlsRenegotiation } from './tls-renegotiation.ts';

/** Every attack by its name. */
export const attacks: { readonly [Name in AttackName]: AttackDefinition<Name> } = {
  'tls-renegotiation': tlsRenegotiation,
  'tls-handshake': tlsHandshake,
  redos,
  slowloris,
  'hash-collision': hashCollision,
  'decompression-bomb': decompressionBomb,
  mixed,
};

/** The attacks' names, in the order they are listed to people. */
export const attackNames: readonly AttackName[] = Object.keys(attacks) as AttackName[];

async function prepareOne<Name extends AttackName>(
  definition: AttackDefinition<Name>,
  settings: unknown,
  plan: ResolvedPlan,
): Promise<PreparedAttack> {
  return await definition.prepare(definition.settings.parse(settings ?? {}), plan, prepareAttack);
}

/** Prepares a chosen attack in this process, with the defaults of its settings filled in. */
export const prepareAttack: PrepareAttack = (choice, plan) =>
  prepareOne(attacks[choice.attack] as AttackDefinition<AttackName>, choice.settings, plan);
