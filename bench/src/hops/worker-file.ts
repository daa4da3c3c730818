/** URL of a file in `workers/`, as source or as built. */
export function workerFile(name: string): URL {
  return new URL(`./workers/${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}
