import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createCertificate } from '../certificate.ts';

/** Files of one self-signed server certificate. The key never leaves its folder. */
export interface ServiceCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly bothFile: string;
  /** The certificate in PEM, which clients trust. */
  readonly ca: string;
}

/** Name in the certificate; clients check it instead of the address. */
export const serverName = 'localhost';

/** Makes a key and a self-signed certificate in `folder`. Default size: RSA-2048. */
export async function createServiceCertificate(
  folder: string,
  rsaBits?: number,
): Promise<ServiceCertificate> {
  const { certificateFile, keyFile } = createCertificate(folder, rsaBits);
  const ca = await readFile(certificateFile, 'utf8');
  const bothFile = path.join(folder, 'both.pem');
  await writeFile(bothFile, ca + (await readFile(keyFile, 'utf8')), { mode: 0o600 });
  return { certificateFile, keyFile, bothFile, ca };
}
