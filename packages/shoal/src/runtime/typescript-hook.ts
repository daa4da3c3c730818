/** Node's `load` hook: TypeScript files outside of packages are stripped of their types. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'amaro';

interface Loaded {
  readonly format: string;
  readonly shortCircuit?: boolean;
  readonly source?: string;
}

export async function load(
  url: string,
  context: object,
  nextLoad: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  const { protocol, pathname } = new URL(url);
  if (protocol !== 'file:' || !/\.m?ts$/.test(pathname)) return nextLoad(url, context);
  const source = await readFile(fileURLToPath(url), 'utf8');
  return { format: 'module', shortCircuit: true, source: transformSync(source, { mode: 'strip-only' }).code };
}
