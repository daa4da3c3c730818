/** Certificate and key from their files, the ticket keys that follow from them, and noticing that they changed. */
import { createPrivateKey, hkdfSync, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { SecureVersion } from 'node:tls';

export interface CredentialFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** What a TLS server is made of. Plain data for `tls.createServer` and `setSecureContext`. */
export interface Credentials {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: SecureVersion;
  /**
   * 48 bytes: name, HMAC key and cipher key of session tickets. Derived from the private key, so that every thread
   * (and every machine with the same key) can resume a session that another one began.
   */
  readonly ticketKeys: Buffer;
}

const ticketKeyBytes = 48;

/**
 * Reads certificate and key and checks that they belong together.
 * @throws Error that says what is wrong with which file
 */
export function readCredentials(files: CredentialFiles): Credentials {
  const read = (what: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`the ${what} cannot be read: ${(error as Error).message}`);
    }
  };
  const parse = <T>(what: string, file: string, make: () => T): T => {
    try {
      return make();
    } catch {
      throw new Error(`the ${what} in ${file} is not a valid PEM ${what}`);
    }
  };
  const cert = read('certificate', files.certificateFile);
  const key = read('private key', files.keyFile);
  const certificate = parse('certificate', files.certificateFile, () => new X509Certificate(cert));
  const privateKey = parse('private key', files.keyFile, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(
      `the key in ${files.keyFile} does not belong to the certificate in ${files.certificateFile}`,
    );
  }
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' });
  const ticketKeys = Buffer.from(hkdfSync('sha256', secret, '', 'shoal web server: tickets', ticketKeyBytes));
  return { cert, key, minVersion: 'TLSv1.2', ticketKeys };
}

/** Between two looks at the certificate's files. */
export const certificateCheckMs = 2_000;

/** Calls back with new credentials when the files have changed and are good; with the trouble when they are not. */
export interface CredentialWatch {
  /** Looks at the files' times: cheap, to be called every {@link certificateCheckMs}. */
  check(): void;
  /** Reads them again, changed or not. */
  reload(): void;
}

export function watchCredentials(
  files: CredentialFiles,
  onChange: (credentials: Credentials) => void,
  onTrouble: (text: string) => void,
): CredentialWatch {
  const stamp = (): string => {
    try {
      return [files.certificateFile, files.keyFile].map((file) => statSync(file).mtimeMs).join();
    } catch {
      // Being replaced at this moment: the next look will tell.
      return '';
    }
  };
  let seen = stamp();
  const reload = (): void => {
    let credentials: Credentials;
    try {
      credentials = readCredentials(files);
    } catch (error) {
      onTrouble(`${(error as Error).message}; the certificate in use stays`);
      return;
    }
    onChange(credentials);
  };
  return {
    check: () => {
      const now = stamp();
      if (now === '' || now === seen) return;
      seen = now;
      reload();
    },
    reload,
  };
}
