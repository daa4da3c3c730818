/** Lets Node run TypeScript app modules: newer versions strip types by themselves, older ones with our hook. */

const hook: URL = new URL(
  import.meta.url.endsWith('.ts') ? './typescript-register.ts' : './typescript-register.js',
  import.meta.url,
);

/** Arguments for Node with which it, and its threads, can import this app module. */
export function typeScriptArguments(appUrl: string): readonly string[] {
  if (!/\.m?ts$/.test(new URL(appUrl).pathname)) return [];
  const features = process.features as unknown as Readonly<Record<string, unknown>>;
  if (features.typescript === 'strip' || features.typescript === 'transform') return [];
  // From source, the hook that runs us strips the app as well.
  if (import.meta.url.endsWith('.ts')) return [];
  return ['--import', hook.href];
}
