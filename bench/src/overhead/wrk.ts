/** A closed loop by `wrk`: as many requests as the server answers. */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Connections of the closed loop. */
export const closedConnections = 50;

/** A server that is stopped for the turns of others answers late. */
const answerMax = '10s';

/** Four objects, one search, in turn: the mix of the demo. */
const mixedScript = `
local paths = { "/object/1", "/object/2", "/object/3", "/object/4", "/search?q=status:+200+content-type:+text" }
local requests = {}
local at = 0
init = function(args)
  for i, path in ipairs(paths) do requests[i] = wrk.format("GET", path) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
`;

/** Requests served by a closed loop; throws if any was not answered with 2xx. */
export async function closedLoop(
  port: number,
  options: { readonly cores: string; readonly seconds: number; readonly objectOnly: boolean },
): Promise<number> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-wrk-'));
  const script = path.join(folder, 'mix.lua');
  fs.writeFileSync(script, mixedScript);
  const loop = ['-t1', `-c${closedConnections}`, `-d${options.seconds}s`, '--timeout', answerMax];
  const args = ['-c', options.cores, 'wrk', ...loop];
  if (!options.objectOnly) args.push('-s', script);
  try {
    const running = run('taskset', [...args, `https://127.0.0.1:${port}/object/1`]);
    const kill = (): void => void running.child.kill('SIGKILL');
    process.once('exit', kill);
    const { stdout } = await running.finally(() => process.removeListener('exit', kill));
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk saw requests fail:\n${stdout}`);
    const served = Number(/(\d+) requests in/.exec(stdout)?.[1]);
    if (!(served > 0)) throw new Error(`wrk's output is not understood:\n${stdout}`);
    return served;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
