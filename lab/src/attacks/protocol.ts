import type { AttackStats } from './attack.ts';

/** What an attack's process writes to its standard output, a JSON line each. */
export type AttackMessage =
  | { readonly kind: 'report'; readonly stats: AttackStats }
  | { readonly kind: 'done'; readonly stats: AttackStats }
  | { readonly kind: 'refused'; readonly reason: string };
