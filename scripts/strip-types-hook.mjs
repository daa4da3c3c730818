import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'amaro';

/** Node's `load` hook: `.ts` files are stripped of their types, everything else passes through. */
export async function load(url, context, nextLoad) {
  const [file] = url.split('?');
  if (!file.startsWith('file:') || !file.endsWith('.ts')) return nextLoad(url, context);
  const source = await readFile(fileURLToPath(file), 'utf8');
  return { format: 'module', shortCircuit: true, source: transformSync(source, { mode: 'strip-only' }).code };
}
