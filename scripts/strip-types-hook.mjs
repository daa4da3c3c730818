import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { threadId } from 'node:worker_threads';

/**
 * What was stripped before, by the hash of its source: every process and thread of a test loads a hundred files anew,
 * and loading amaro alone takes longer than reading them.
 */
const cache = fileURLToPath(new URL('../node_modules/.cache/strip-types/', import.meta.url));
mkdirSync(cache, { recursive: true });

async function strip(source) {
  const { transformSync } = await import('amaro');
  return transformSync(source, { mode: 'strip-only' }).code;
}

/** Node's `load` hook: `.ts` files are stripped of their types, everything else passes through. */
export async function load(url, context, nextLoad) {
  const [file] = url.split('?');
  if (!file.startsWith('file:') || !file.endsWith('.ts')) return nextLoad(url, context);
  const source = readFileSync(fileURLToPath(file), 'utf8');
  const kept = `${cache}${createHash('sha256').update(source).digest('hex')}.js`;
  try {
    return { format: 'module', shortCircuit: true, source: readFileSync(kept, 'utf8') };
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const code = await strip(source);
  // Whole or not at all: others may be looking.
  const written = `${kept}.${process.pid}-${threadId}`;
  writeFileSync(written, code);
  renameSync(written, kept);
  return { format: 'module', shortCircuit: true, source: code };
}
