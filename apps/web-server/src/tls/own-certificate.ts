/**
 * The certificate of a server that was given none: made once, kept in the user's own folder under the system's
 * folder for temporary files, so that all threads and restarts of a server use the same one.
 */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createCertificate } from './certificate.ts';
import type { CredentialFiles } from './credentials.ts';

const validDays = 30;
/** A certificate with less than this left is made anew. */
const renewBeforeMs = 2 * 86_400_000;
const names = ['localhost', '127.0.0.1'];

function filesIn(folder: string): CredentialFiles {
  return {
    certificateFile: path.join(folder, 'certificate.pem'),
    keyFile: path.join(folder, 'key.pem'),
  };
}

/** True if the folder is ours alone and holds a certificate that lasts. */
function isUsable(folder: string, nowMs: number): boolean {
  let found: fs.Stats;
  try {
    found = fs.lstatSync(folder);
  } catch {
    return false;
  }
  if (!found.isDirectory() || found.uid !== os.userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new Error(
      `${folder} is not a folder of yours alone: remove it, or set SHOAL_WEB_CERT and SHOAL_WEB_KEY`,
    );
  }
  try {
    const certificate = new X509Certificate(fs.readFileSync(filesIn(folder).certificateFile));
    return Date.parse(certificate.validTo) - nowMs > renewBeforeMs;
  } catch {
    return false;
  }
}

/** Finds the user's own certificate, or makes it. Threads that do so at the same time agree on one. */
export function ownCertificate(parent: string = os.tmpdir(), nowMs: number = Date.now()): CredentialFiles {
  const folder = path.join(parent, `shoal-web-server-${os.userInfo().uid}`);
  if (isUsable(folder, nowMs)) return filesIn(folder);
  const fresh = fs.mkdtempSync(`${folder}-new-`);
  const pair = createCertificate(names, nowMs, validDays);
  fs.writeFileSync(filesIn(fresh).certificateFile, pair.certificate, { mode: 0o600 });
  fs.writeFileSync(filesIn(fresh).keyFile, pair.key, { mode: 0o600 });
  // Renaming onto a folder with files in it fails: whoever comes second uses the first one's.
  for (let tries = 0; tries < 2; tries++) {
    try {
      fs.renameSync(fresh, folder);
      return filesIn(folder);
    } catch {
      if (isUsable(folder, nowMs)) break;
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }
  fs.rmSync(fresh, { recursive: true, force: true });
  if (!isUsable(folder, nowMs)) throw new Error(`no certificate could be kept in ${folder}`);
  return filesIn(folder);
}
