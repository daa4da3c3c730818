import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { LabError } from './lab-error.ts';

/** Files of a self-signed certificate and its key. */
export interface CertificateFiles {
  readonly keyFile: string;
  readonly certificateFile: string;
}

/**
 * Makes a self-signed certificate for `localhost` and 127.0.0.1 in a folder, valid for two days, with the
 * program openssl. `rsaBits` is 2048 by default, as in the published experiments.
 */
export function createCertificate(folder: string, rsaBits = 2048): CertificateFiles {
  const files = {
    keyFile: path.join(folder, 'key.pem'),
    certificateFile: path.join(folder, 'certificate.pem'),
  };
  const args = [
    ...['req', '-x509', '-newkey', `rsa:${rsaBits}`, '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', files.keyFile, '-out', files.certificateFile],
  ];
  try {
    execFileSync('openssl', args, { stdio: 'pipe' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new LabError('openssl is not installed: run lab/scripts/install-debian.sh, which installs it.');
  }
  return files;
}
