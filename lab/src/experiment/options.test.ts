import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabError } from '../lab-error.ts';
import type { GeneratorsOptions } from './generators.ts';
import { type RivalsOptions, runCommand } from './options.ts';

async function parse(...args: string[]): Promise<RivalsOptions | GeneratorsOptions | undefined> {
  let parsed: RivalsOptions | GeneratorsOptions | undefined;
  const keep = async (options: RivalsOptions | GeneratorsOptions): Promise<void> => {
    parsed = options;
  };
  await runCommand(args, { rivals: keep, generators: keep, report: async () => undefined });
  return parsed;
}

const namesOf = ({ deployments }: RivalsOptions): string[] => deployments.map(({ name }) => name);

test('without options every attack meets every deployment three times', async () => {
  const options = (await parse('rivals')) as RivalsOptions;
  assert.equal(options.attacks.length, 7);
  assert.deepEqual(namesOf(options), ['standalone', 'cluster', 'naive', 'naive-full', 'hardened', 'watt']);
  assert.equal(options.runs, 3);
  assert.equal(options.spec, undefined);
});

test('a quick experiment has one run and leaves out the variant that needs time, unless it is named', async () => {
  const options = (await parse('rivals', '--quick')) as RivalsOptions;
  assert.equal(options.runs, 1);
  assert.deepEqual(namesOf(options), ['standalone', 'cluster', 'naive', 'hardened', 'watt']);
  const named = (await parse('rivals', '--quick', '--deployments', 'naive-full,watt')) as RivalsOptions;
  assert.deepEqual(namesOf(named), ['naive-full', 'watt']);
});

test('attacks and numbers are read', async () => {
  const options = (await parse('rivals', '--attacks', 'redos, mixed', '--runs', '5')) as RivalsOptions;
  assert.deepEqual(options.attacks, ['redos', 'mixed']);
  assert.equal(options.runs, 5);
  assert.deepEqual(await parse('generators', '--rate', '50'), { rate: 50, seconds: 30 });
});

test('what is wrong is said in one sentence that names what there is', async () => {
  await assert.rejects(parse('rivals', '--attacks', 'redos,flood'), (error: Error) => {
    assert.ok(error instanceof LabError);
    assert.match(error.message, /no "flood"; there are .*slowloris/);
    return true;
  });
  await assert.rejects(parse('rivals', '--runs', '0'), /whole number from 1 to 100/);
  await assert.rejects(parse('rivals', '--swift'), /--swift/);
  await assert.rejects(parse('nothing'), /nothing/);
  await assert.rejects(parse(), /Usage: npm run experiment/);
});
