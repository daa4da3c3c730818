/** Options as they may be given in plain JavaScript: a field that is `undefined` is absent. */
export type Given<T extends object> = { readonly [K in keyof T]?: T[K] | undefined };

/** The defaults, with what is given instead. Spreading `given` would let an explicit `undefined` win over a default. */
export function withDefaults<T extends object>(defaults: T, given: Given<T> | undefined): T {
  const present = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(present) };
}
