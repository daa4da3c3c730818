/**
 * A self-signed certificate for trying the server out: ECDSA P-256, X.509 v3, written as DER by hand (Node can
 * read certificates but not make them, and this is all that a first run needs). For anything that strangers reach,
 * give `SHOAL_WEB_CERT` and `SHOAL_WEB_KEY`.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** PEM texts. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  time: 0x18,
  version: 0xa0,
  extensions: 0xa3,
  dnsName: 0x82,
  ipAddress: 0x87,
} as const;

/** Object identifiers, already encoded. */
const oid = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
} as const;

/** Clocks may differ by so much. */
const backdateMs = 3_600_000;
const dayMs = 86_400_000;

function der(type: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([type, ...head]), content]);
}

function identifier(encoded: string): Buffer {
  return der(tag.oid, Buffer.from(encoded, 'hex'));
}

/** GeneralizedTime: 20260102030405Z. */
function time(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(tag.time, Buffer.from(`${text}Z`));
}

function alternativeName(name: string): Buffer {
  return isIPv4(name)
    ? der(tag.ipAddress, Buffer.from(name.split('.').map(Number)))
    : der(tag.dnsName, Buffer.from(name));
}

/**
 * Makes a key and a certificate for it, valid from an hour before `nowMs` for `days`.
 * @param names host names and IPv4 addresses; the first is the common name
 */
export function createCertificate(names: readonly string[], nowMs: number, days: number): CertificatePair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const serial = randomBytes(16);
  // Positive, and without a leading zero byte.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const name = der(
    tag.sequence,
    der(tag.set, der(tag.sequence, identifier(oid.commonName), der(tag.utf8, Buffer.from(names[0] ?? '')))),
  );
  const algorithm = der(tag.sequence, identifier(oid.ecdsaWithSha256));
  const extension = (id: string, ...value: Buffer[]): Buffer =>
    der(tag.sequence, identifier(id), der(tag.octetString, der(tag.sequence, ...value)));
  const toSign = der(
    tag.sequence,
    der(tag.version, der(tag.integer, Buffer.from([2]))),
    der(tag.integer, serial),
    algorithm,
    name,
    der(tag.sequence, time(nowMs - backdateMs), time(nowMs + days * dayMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      tag.extensions,
      der(
        tag.sequence,
        extension(oid.basicConstraints, der(tag.boolean, Buffer.from([0xff]))),
        extension(oid.subjectAltName, ...names.map(alternativeName)),
      ),
    ),
  );
  const signature = sign('sha256', toSign, privateKey);
  const certificate = der(tag.sequence, toSign, algorithm, der(tag.bitString, Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
