// Makes the JavaScript of packages/shoal, from its sources; `tsc -b` makes its declarations.
//
// Every module keeps its file in `dist`, but what an MSU thread runs is in one, `dist/runtime/core.js`: to load its eighty
// files took a quarter of what it costs to replace a thread that was killed.
import * as fs from 'node:fs';
import path from 'node:path';
import { transformSync } from 'amaro';
import { rollup } from 'rollup';

const root = path.resolve(import.meta.dirname, '../packages/shoal');
const source = path.join(root, 'src');
const out = path.join(root, 'dist');
/** It begins a thread, and so must not be where others import from. */
const threadMain = path.join(source, 'runtime/thread-main.ts');

const modules = fs
  .readdirSync(source, { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));

const changedAtMs = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const madeAtMs = changedAtMs(path.join(out, 'runtime/core.js'));
if (![...modules, import.meta.filename].some((file) => changedAtMs(file) > madeAtMs)) process.exit();

const stripTypes = {
  name: 'strip-types',
  load: (file) => transformSync(fs.readFileSync(file, 'utf8'), { mode: 'strip-only' }).code,
};

const isOfOthers = (id) => !id.startsWith('.') && !path.isAbsolute(id);

/** The modules that a module imports, and those that these import. */
function importedBy(file, getModuleInfo, found = new Set()) {
  for (const id of getModuleInfo(file).importedIds) {
    if (isOfOthers(id) || found.has(id)) continue;
    found.add(id);
    importedBy(id, getModuleInfo, found);
  }
  return found;
}

const bundle = await rollup({
  input: Object.fromEntries(
    modules.map((file) => [path.relative(source, file).slice(0, -'.ts'.length), file]),
  ),
  external: isOfOthers,
  plugins: [stripTypes],
  preserveEntrySignatures: 'strict',
  treeshake: false,
  onLog: (level, log) => {
    // Some modules are nothing but types.
    if (log.code !== 'EMPTY_BUNDLE') throw new Error(`${level}: ${log.message}`);
  },
});
let core;
await bundle.write({
  dir: out,
  format: 'es',
  sourcemap: true,
  hoistTransitiveImports: false,
  minifyInternalExports: false,
  entryFileNames: '[name].js',
  chunkFileNames: 'runtime/[name].js',
  manualChunks: (id, { getModuleInfo }) => {
    core ??= importedBy(threadMain, getModuleInfo);
    return core.has(id) ? 'core' : undefined;
  },
});
await bundle.close();
