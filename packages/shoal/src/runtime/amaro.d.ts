/** The part of amaro that is used; it ships no types of its own. */
declare module 'amaro' {
  export function transformSync(
    source: string,
    options: { readonly mode: 'strip-only' },
  ): { readonly code: string };
}
