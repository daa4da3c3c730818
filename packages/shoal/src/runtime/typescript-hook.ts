/** Node's `load` hook: TypeScript files outside of packages are stripped of their types. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'amaro';

interface Loaded {
  readonly format: string;
  readonly shortCircuit?: boolean;
  readonly source?: string;
}

/** The code without its types. Throws a SyntaxError that names the line. */
function strip(source: string, file: string): string {
  try {
    return transformSync(source, { mode: 'strip-only' }).code;
  } catch (error) {
    // The stripper throws a drawing: "x What is wrong", then "[line:column]" in a frame, then the code.
    const drawing = String(error);
    const what = /^\s*(?:x |Error: )?(.+)$/m.exec(drawing)?.[1] ?? 'it cannot be parsed';
    const line = /\[(\d+):\d+\]/.exec(drawing)?.[1];
    throw new SyntaxError(`${what.trim()} (${file}${line === undefined ? '' : `:${line}`})`);
  }
}

export async function load(
  url: string,
  context: object,
  nextLoad: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  const { protocol, pathname } = new URL(url);
  if (protocol !== 'file:' || !/\.m?ts$/.test(pathname)) return nextLoad(url, context);
  const file = fileURLToPath(url);
  return { format: 'module', shortCircuit: true, source: strip(await readFile(file, 'utf8'), file) };
}
