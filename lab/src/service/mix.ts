import { gzipSync } from 'node:zlib';
import type { Random, RequestKind } from '../load/index.ts';
import { objectCount } from './object-store.ts';

const words = [
  'alder',
  'birch',
  'cedar',
  'elm',
  'fir',
  'hazel',
  'larch',
  'maple',
  'oak',
  'pine',
  'rowan',
  'willow',
];
const word = (random: Random): string => words[random.integer(words.length)]!;
const several = (count: number, random: Random): string[] =>
  Array.from({ length: count }, () => word(random));

/** Keys in an honest lookup. */
const lookupKeys = 40;
/** Words in an honest upload: about 4 KiB before packing. */
const uploadWords = 700;

/** What honest visitors ask of the service: objects above all, and of every dangerous route a harmless use. */
export const honestMix: readonly RequestKind[] = [
  {
    name: 'objects',
    weight: 70,
    variants: 256,
    request: (random) => ({ path: `/objects/${random.integer(objectCount)}` }),
  },
  {
    name: 'match',
    weight: 14,
    request: (random) => ({ path: `/match?text=${encodeURIComponent(several(5, random).join(' '))}` }),
  },
  {
    name: 'upload',
    weight: 8,
    request: (random) => ({
      method: 'POST',
      path: '/upload',
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/octet-stream' },
      body: gzipSync(several(uploadWords, random).join(' ')),
    }),
  },
  {
    name: 'lookup',
    weight: 8,
    request: (random) => ({
      method: 'POST',
      path: '/lookup',
      headers: { 'content-type': 'text/plain' },
      body: Array.from({ length: lookupKeys }, () => `${word(random)}-${random.integer(100_000)}`).join('\n'),
    }),
  },
];
