import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createCertificate } from './certificate.ts';
import { readCredentials, watchCredentials } from './credentials.ts';
import { ownCertificate } from './own-certificate.ts';

const nowMs = Date.UTC(2026, 0, 1);

function inFolder<T>(use: (folder: string) => T): T {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'web-server-test-'));
  try {
    return use(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('a made certificate is signed by its own key, for its names and its time', () => {
  for (let i = 0; i < 20; i++) {
    const pair = createCertificate(['localhost', '127.0.0.1'], nowMs, 30);
    const certificate = new X509Certificate(pair.certificate);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.ok(certificate.checkPrivateKey(createPrivateKey(pair.key)));
    assert.equal(certificate.checkHost('localhost'), 'localhost');
    assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
    assert.equal(certificate.checkHost('example.org'), undefined);
    assert.equal(Date.parse(certificate.validTo), nowMs + 30 * 86_400_000);
    assert.ok(Date.parse(certificate.validFrom) < nowMs);
  }
});

test('a server without a certificate makes one, keeps it for itself, and renews it before it ends', () => {
  inFolder((folder) => {
    const first = ownCertificate(folder, nowMs);
    assert.equal(fs.statSync(path.dirname(first.keyFile)).mode & 0o777, 0o700);
    assert.equal(fs.statSync(first.keyFile).mode & 0o777, 0o600);
    const text = fs.readFileSync(first.certificateFile, 'utf8');
    assert.deepEqual(ownCertificate(folder, nowMs + 86_400_000), first);
    assert.equal(fs.readFileSync(first.certificateFile, 'utf8'), text, 'the same one');
    ownCertificate(folder, nowMs + 29 * 86_400_000);
    assert.notEqual(fs.readFileSync(first.certificateFile, 'utf8'), text, 'renewed');
    assert.equal(fs.readdirSync(folder).length, 1, 'nothing is left lying about');
  });
});

test('a certificate folder that others can look into is refused', () => {
  inFolder((folder) => {
    const { keyFile } = ownCertificate(folder, nowMs);
    fs.chmodSync(path.dirname(keyFile), 0o755);
    assert.throws(() => ownCertificate(folder, nowMs), /not a folder of yours alone.*SHOAL_WEB_CERT/);
  });
});

test('ticket keys follow from the private key: equal for equal keys, different for others', () => {
  inFolder((folder) => {
    const files = ownCertificate(folder, nowMs);
    const one = readCredentials(files).ticketKeys;
    assert.equal(one.length, 48);
    assert.deepEqual(readCredentials(files).ticketKeys, one);
    fs.rmSync(path.dirname(files.keyFile), { recursive: true });
    assert.notDeepEqual(readCredentials(ownCertificate(folder, nowMs)).ticketKeys, one);
  });
});

test('credentials that cannot be used are described', () => {
  inFolder((folder) => {
    const pair = createCertificate(['localhost'], nowMs, 1);
    const other = createCertificate(['localhost'], nowMs, 1);
    const files = { certificateFile: path.join(folder, 'c.pem'), keyFile: path.join(folder, 'k.pem') };
    assert.throws(() => readCredentials(files), /the certificate cannot be read: .*c\.pem/);
    fs.writeFileSync(files.certificateFile, 'hello');
    fs.writeFileSync(files.keyFile, pair.key);
    assert.throws(() => readCredentials(files), /c\.pem is not a valid PEM certificate/);
    fs.writeFileSync(files.certificateFile, other.certificate);
    assert.throws(() => readCredentials(files), /k\.pem does not belong to the certificate in .*c\.pem/);
  });
});

test('changed files are noticed; bad ones are reported and change nothing', () => {
  inFolder((folder) => {
    const files = { certificateFile: path.join(folder, 'c.pem'), keyFile: path.join(folder, 'k.pem') };
    const write = (atSeconds: number): void => {
      const pair = createCertificate(['localhost'], nowMs, 1);
      fs.writeFileSync(files.certificateFile, pair.certificate);
      fs.writeFileSync(files.keyFile, pair.key);
      for (const file of Object.values(files)) fs.utimesSync(file, atSeconds, atSeconds);
    };
    write(1_000);
    const seen: string[] = [];
    const watch = watchCredentials(
      files,
      () => seen.push('changed'),
      (text) => seen.push(text),
    );
    watch.check();
    assert.deepEqual(seen, []);
    write(2_000);
    watch.check();
    watch.check();
    assert.deepEqual(seen, ['changed']);
    fs.writeFileSync(files.keyFile, 'hello');
    watch.check();
    assert.match(seen[1] ?? '', /not a valid PEM private key; the certificate in use stays/);
    watch.reload();
    assert.equal(seen.length, 3);
  });
});
