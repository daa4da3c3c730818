import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Certificates last a day: they are made for one run. */
const validDays = 1;

/** Files of one self-signed server certificate. */
export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly bothFile: string;
  /** The certificate in PEM, which clients trust. */
  readonly ca: string;
}

/** Name in every certificate of the lab; clients check it instead of the address. */
export const serverName = 'service.lab';

/**
 * Makes an RSA-2048 key and a self-signed certificate for `serverName`, with the `openssl` command, in `folder`.
 * The key never leaves that folder.
 */
export async function createCertificate(folder: string): Promise<CertificateFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const certificateFile = path.join(folder, 'certificate.pem');
  const keyFile = path.join(folder, 'key.pem');
  const bothFile = path.join(folder, 'both.pem');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', String(validDays)],
    ...['-subj', `/CN=${serverName}`, '-addext', `subjectAltName=DNS:${serverName}`],
    ...['-keyout', keyFile, '-out', certificateFile],
  ]);
  const ca = await readFile(certificateFile, 'utf8');
  await writeFile(bothFile, ca + (await readFile(keyFile, 'utf8')), { mode: 0o600 });
  return { certificateFile, keyFile, bothFile, ca };
}
