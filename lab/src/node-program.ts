import { fileURLToPath } from 'node:url';

/** Flags that let Node run our TypeScript sources; a child started from source needs them too. */
function sourceFlags(execArgv: readonly string[]): string[] {
  const flags: string[] = [];
  for (const [index, flag] of execArgv.entries()) {
    if (flag.startsWith('--conditions=') || flag.startsWith('--import=')) flags.push(flag);
    if (flag === '--conditions' || flag === '--import') flags.push(flag, execArgv[index + 1] ?? '');
  }
  return flags;
}

/** Command and arguments that run a module of ours as a Node program, from source or from dist as we run. */
export function nodeProgram(
  module: URL,
  args: readonly string[] = [],
): { readonly command: string; readonly args: readonly string[] } {
  const flags = module.pathname.endsWith('.ts') ? sourceFlags(process.execArgv) : [];
  return { command: process.execPath, args: [...flags, fileURLToPath(module), ...args] };
}

/** The URL of a module beside `importMetaUrl`, with the ending (`.ts` or `.js`) that we run from. */
export function siblingModule(name: string, importMetaUrl: string): URL {
  return new URL(`${name}${importMetaUrl.endsWith('.ts') ? '.ts' : '.js'}`, importMetaUrl);
}
