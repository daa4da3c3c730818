import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNetworkText, routeKey } from './network-text.ts';

test('the published network configuration is read, and multicast = false means false', () => {
  const network = readNetworkText(
    '# multicast = false\n# retransmit = false\n# mtu = 1500\n% nodes\ntopology: 1 : 2\ntopology: 2 : 1, 3\nroute: 1,2,3\n',
    'config.csv',
  );
  assert.equal(network.multicast, false);
  assert.deepEqual(network.neighbours?.get('2'), ['1', '3']);
  assert.deepEqual(network.routes.get(routeKey('1', '3')), ['1', '2', '3']);
  assert.deepEqual(network.warnings, []);
  assert.equal(readNetworkText('# multicast = True\n', 'c').multicast, true);
});

test('a route along a link that the topology does not have is warned of', () => {
  const { warnings } = readNetworkText('topology: 1 : 2\nroute: 1, 2, 3\n', 'c');
  assert.equal(warnings[0]!.line, 2);
  assert.match(
    warnings[0]!.message,
    /from 2 to 3, which the topology does not connect: write `topology: 2 : 3`/,
  );
});

test('mistakes are listed with their lines and how to mend them', () => {
  const text =
    '# multicast = maybe\ntopology: 1\nroute: 1\nroute: 1, 2, 1\nroute: 1, 2\nroute: 1, 2\nhello\n';
  assert.throws(() => readNetworkText(text, 'net'), {
    message: [
      'net:1: multicast is `maybe`: write true or false.',
      'net:2: write `topology: node : direct, …`.',
      'net:3: a route has at least two nodes: write `route: from, hop, to`.',
      'net:4: the route visits a node twice: 1, 2, 1.',
      'net:6: a second route from 1 to 2: keep one.',
      'net:7: cannot read `hello`: write `topology: node : direct, …` or `route: from, hop, to`.',
    ].join('\n'),
  });
});
