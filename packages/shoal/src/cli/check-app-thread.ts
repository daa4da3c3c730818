/** Entry of the thread that loads and checks an app module. */
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import {
  type AppGraph,
  type Deployment,
  describeApp,
  isApp,
  type Problem,
  parseStackPlace,
  show,
} from '../model/index.ts';
import { enableTypeScript } from '../runtime/typescript.ts';
import { resolveDeployment } from './resolve-deployment.ts';

export interface CheckRequest {
  readonly appUrl: string;
  /** Milliseconds that the module may take to load. */
  readonly loadMaxMs: number;
  readonly cores: number;
  readonly deployment: { readonly file: string; readonly text: string } | null;
}

export type CheckResult =
  /** `what` follows "The app module X". */
  | { readonly kind: 'not-loaded'; readonly what: string }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }
  | { readonly kind: 'checked'; readonly graph: AppGraph; readonly deployment: Deployment };

/**
 * Where the file itself is not JavaScript: the error that `import` throws does not say it, `node --check` does. Null: it
 * is a module that the file imports, or TypeScript.
 */
function syntaxErrorPlace(url: string): string | null {
  const { stderr } = spawnSync(process.execPath, ['--check', fileURLToPath(url)], { encoding: 'utf8' });
  return /^(?:file:\/\/)?(\/.*:\d+)$/.exec(stderr.split('\n')[0] ?? '')?.[1] ?? null;
}

/** Why a module could not be loaded, in one sentence, with the place of its own code where there is one. */
function describeLoadError(error: unknown, url: string): string {
  if (!(error instanceof Error)) {
    const what = typeof error === 'object' && error !== null ? show(error) : String(error);
    return `threw ${what} while it was loaded`;
  }
  const message = error.message.split('\n')[0] ?? '';
  const stack = error.stack ?? '';
  const { code } = error as NodeJS.ErrnoException;
  const own = realpathSync(fileURLToPath(url));
  // An import of JSON needs an attribute, as Node says; the app itself is not imported by its author.
  const isJson = message.startsWith(`Module "${pathToFileURL(own)}" needs an import attribute`);
  if (isJson || code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    const file = / for (\/.*)$/.exec(message)?.[1] ?? own;
    const imports = file === own ? '' : `imports ${file}, which `;
    return `${imports}is not a JavaScript or TypeScript file (.js, .mjs, .ts, .mts)`;
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
    return `imports what is not there: ${message}`;
  }
  if (error instanceof SyntaxError) {
    const place = /^file:\/\/(\/.*:\d+)$/.exec(stack.split('\n')[0] ?? '')?.[1] ?? syntaxErrorPlace(url);
    if (place === null) return `is not understood, or a module that it imports is not: ${message}`;
    return `is not understood: ${message} (${place})`;
  }
  const place = parseStackPlace(stack);
  const where = place === null ? '' : ` (${place.file}:${place.line}:${place.column})`;
  return `threw while it was loaded: ${error.name}: ${message}${where}`;
}

async function check(request: CheckRequest): Promise<CheckResult> {
  let module: { readonly default?: unknown };
  try {
    enableTypeScript(request.appUrl);
    module = (await import(request.appUrl)) as { readonly default?: unknown };
  } catch (error) {
    return { kind: 'not-loaded', what: describeLoadError(error, request.appUrl) };
  }
  const app = module.default;
  if (app === undefined) {
    return { kind: 'not-loaded', what: 'has no default export: write `export default defineApp({ … })`' };
  }
  if (!isApp(app)) {
    return {
      kind: 'not-loaded',
      what: 'has a default export that is not an app: write `export default defineApp({ … })`',
    };
  }
  const { deployment: given } = request;
  // Loaded only where there is a file: what reads it takes a fifth of what a check of the web server takes.
  const file =
    given === null ? null : (await import('./deployment-file.ts')).readDeployment(given.text, given.file);
  const { deployment, problems } = resolveDeployment(app, file, request.cores);
  if (deployment === null) return { kind: 'problems', problems };
  return { kind: 'checked', graph: describeApp(app), deployment };
}

// There is nothing left that could wake this thread, and `check` has not come to its end.
const onNothingLeft = (): void => {
  const what = 'waits at its top level (await) for what never comes';
  parentPort?.postMessage({ kind: 'not-loaded', what } satisfies CheckResult);
};
process.once('beforeExit', onNothingLeft);
// Places of compiled apps are those of their sources, where there are source maps.
process.setSourceMapsEnabled(true);
const result = await check(workerData as CheckRequest);
process.off('beforeExit', onNothingLeft);
parentPort?.postMessage(result);
