/** TypeScript app modules: newer versions of Node strip types by themselves; in older ones each thread does it here. */
import { register } from 'node:module';

let isRegistered = false;

/**
 * Makes this thread able to import the module at `url`, if it is TypeScript that this version of Node does not
 * understand. Costs each thread a helper thread of Node: compile apps before they go into service.
 */
export function enableTypeScript(url: string): void {
  if (isRegistered || !/\.m?ts$/.test(new URL(url).pathname)) return;
  const features = process.features as unknown as Readonly<Record<string, unknown>>;
  if (features.typescript === 'strip' || features.typescript === 'transform') return;
  // Where we run from source ourselves, what strips us strips the app as well.
  if (import.meta.url.endsWith('.ts')) return;
  isRegistered = true;
  register(new URL('./typescript-hook.js', import.meta.url));
}
