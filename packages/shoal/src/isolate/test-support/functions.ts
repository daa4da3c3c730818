/** Functions that tests isolate: well-behaved, dangerous and odd ones. */
import { threadId } from 'node:worker_threads';

export default function twice(x: number): number {
  return x * 2;
}

export function echo(...args: unknown[]): unknown[] {
  return args;
}

export function forever(): never {
  for (;;);
}

export function foreverIfLong(text: string): number {
  while (text.length > 20);
  return text.length;
}

export function burn(ms: number): number {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
  return ms;
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

/** Waits, and answers on which thread: no core is busy with it. */
export async function waitOn(ms: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return threadId;
}

let inProgress = 0;
/** How many calls, this one included, were in progress on its thread when it had waited. */
export async function together(ms: number): Promise<number> {
  inProgress++;
  await new Promise((resolve) => setTimeout(resolve, ms));
  const count = inProgress;
  await new Promise((resolve) => setTimeout(resolve, ms));
  inProgress--;
  return count;
}

class QueryError extends RangeError {
  override readonly name = 'QueryError';
  readonly code = 'E_QUERY';
}

export function refuse(what: string): never {
  throw new QueryError(`no ${what} here`);
}

export async function refuseLater(what: string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return refuse(what);
}

export function throwText(text: string): never {
  throw text;
}

export function exit(): never {
  process.exit(1);
}

export function give(kind: 'function' | 'symbol' | 'cycle' | 'large'): unknown {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  return { function: { run: () => {} }, symbol: Symbol('s'), cycle, large: 'x'.repeat(300_000) }[kind];
}

export const setting = 42;
