import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAdmissible, describeGrowth, readAllotments } from './allotment.ts';
import { analyze } from './analyze.ts';
import { exampleProvided, overloadedProvided, singleLink } from './test-support/example-systems.ts';

const stable = analyze({ profiles: singleLink(exampleProvided) });

test('a system exactly at its allotments fits', () => {
  const allotments = readAllotments(
    `- { flow: topic1, node: 1, role: transmitter, bufferBits: 189000, delaySeconds: 913/300 }
- { flow: topic1, node: "2", bufferBits: 189000, delaySeconds: 3.1875, endToEndDelaySeconds: 3.23625 }
`,
    'allot.yaml',
  );
  assert.deepEqual(checkAdmissible(stable, allotments), []);
});

test('what does not fit is said with the place and the amount', () => {
  const text =
    '{"allotments": [{"flow": "topic1", "bufferBits": 188999, "delaySeconds": 3}, {"flow": "topic1", "endToEndDelaySeconds": 3.2}]}';
  assert.deepEqual(checkAdmissible(stable, readAllotments(text, 'allot.json')), [
    'topic1 at node 1 (transmitter) needs a buffer of 189,000 bits at 5 s, but is allotted 188,999 bits: 1 bit too few.',
    'topic1 at node 1 (transmitter) delays data that arrives at 7 s by 3.043333 s, but at most 3 s are acceptable: 0.043333 s too long.',
    'topic1 at node 2 (receiver) needs a buffer of 189,000 bits at 10.39 s, but is allotted 188,999 bits: 1 bit too few.',
    'topic1 at node 2 (receiver) delays data that arrives at 7 s by 3.1875 s, but at most 3 s are acceptable: 0.1875 s too long.',
    'topic1 takes 3.23625 s from 1 to 2 (sent at 7 s), but at most 3.2 s are acceptable: 0.03625 s too long.',
  ]);
});

test('an allotment for a flow or node that is not there does not pass unnoticed', () => {
  const sentences = checkAdmissible(
    stable,
    readAllotments('- { flow: topic2, bufferBits: 1 }\n- { flow: topic1, node: 9, bufferBits: 1 }\n', 'a'),
  );
  assert.equal(sentences.length, 2);
  assert.match(sentences[0]!, /for topic2, where no analysed flow is/);
  assert.match(sentences[1]!, /for topic1 at node 9, where no analysed flow is/);
});

test('growth without bound is told once for each place, with its amount', () => {
  assert.deepEqual(describeGrowth(stable), []);
  assert.deepEqual(describeGrowth(analyze({ profiles: singleLink(overloadedProvided) })), [
    'the backlog of topic1 at node 1 (transmitter) grows by 19,000 bits in every hyperperiod of 10 s, without bound.',
  ]);
});

test('mistakes in an allotment file are listed with their lines', () => {
  const text =
    '- { node: 1, bufferBits: -5 }\n- { flow: a, role: router, bufferBits: x }\n- { flow: a, size: 3 }\n- 7\n';
  assert.throws(() => readAllotments(text, 'allot.yaml'), {
    message: [
      'allot.yaml:1: no flow: write `flow:` with the name of a flow.',
      'allot.yaml:1: bufferBits is `-5`: write a number of at least 0.',
      'allot.yaml:2: the role is `router`: write transmitter or receiver.',
      'allot.yaml:2: bufferBits is `x`: write a number of at least 0.',
      'allot.yaml:2: nothing is allotted: write bufferBits, delaySeconds or endToEndDelaySeconds.',
      'allot.yaml:3: unknown field `size`: known are flow, node, role, bufferBits, delaySeconds, endToEndDelaySeconds.',
      'allot.yaml:3: nothing is allotted: write bufferBits, delaySeconds or endToEndDelaySeconds.',
      'allot.yaml:4: write an allotment: a map with `flow` and what it is allotted.',
    ].join('\n'),
  });
  assert.throws(() => readAllotments('just text', 'a'), /a:1: write a list of allotments/);
});
