import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings, WebSettingsError } from './settings.ts';

const files = { SHOAL_WEB_CERT: 'cert.pem', SHOAL_WEB_KEY: 'key.pem' };

test('settings have defaults, and empty ones are as good as none', () => {
  const settings = readSettings({ ...files, SHOAL_WEB_PORT: '', HOME: '/' });
  assert.equal(settings.host, '127.0.0.1');
  assert.equal(settings.port, 8_443);
  assert.equal(settings.objects, '');
  assert.deepEqual(settings.credentialFiles, { certificateFile: 'cert.pem', keyFile: 'key.pem' });
  assert.equal(settings.limits.headersTimeoutMs, 10_000);
});

test('every mistake in the settings is reported at once', () => {
  assert.throws(
    () =>
      readSettings({
        SHOAL_WEB_PORT: '70000',
        SHOAL_WEB_IDLE_TIMEOUT_MS: '5s',
        SHOAL_WEB_OBJECTS: 'http://127.0.0.1',
        SHOAL_WEB_CERT: 'cert.pem',
        SHOAL_WEB_PROT: '1',
      }),
    (error) => {
      assert.ok(error instanceof WebSettingsError);
      assert.equal(error.problems.length, 5);
      for (const word of ['_PORT=70000', '=5s', 'redis://', 'give both', '_PROT: there is no such']) {
        assert.ok(error.message.includes(word), word);
      }
      return true;
    },
  );
});
