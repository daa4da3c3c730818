import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { createServiceCertificate } from '../service/certificates.ts';
import { hardenedConfig, passThroughConfig, type Upstream } from './haproxy.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'haproxy-test-'));
after(() => rmSync(folder, { recursive: true }));

const upstreams: readonly Upstream[] = [
  { name: 'web1', address: '127.0.0.1', port: 8_443 },
  { name: 'db1', address: '127.0.0.2', port: 8_443, disabled: true },
];

/** HAProxy's own check of a configuration; throws what it prints when it is wrong. */
function check(config: string): void {
  const file = path.join(folder, 'haproxy.cfg');
  writeFileSync(file, config);
  execFileSync('haproxy', ['-c', '-q', '-f', file], { stdio: 'pipe' });
}

test('HAProxy accepts the configuration that passes connections through', () => {
  const config = passThroughConfig('127.0.0.1', path.join(folder, 'socket'), upstreams);
  check(config);
  assert.match(config, /server db1 127\.0\.0\.2:8443 .* disabled/);
});

test('HAProxy accepts the hardened configuration', async () => {
  const { bothFile } = await createServiceCertificate(folder);
  check(hardenedConfig('127.0.0.1', path.join(folder, 'socket'), bothFile, upstreams));
});
