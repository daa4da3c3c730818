import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** -1 where users have no numbers. */
export const userId = (): number => process.getuid?.() ?? -1;

/** `$XDG_RUNTIME_DIR/shoal`, or `shoal-<uid>` in the folder for temporary files. */
export function defaultRunDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const given = env.XDG_RUNTIME_DIR;
  if (given !== undefined && path.isAbsolute(given) && existsSync(given)) return path.join(given, 'shoal');
  return path.join(os.tmpdir(), `shoal-${userId()}`);
}
