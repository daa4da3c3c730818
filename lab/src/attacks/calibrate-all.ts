import type { AttackChoice } from './attack.ts';
import { type Calibration, type CalibrationOptions, calibrate } from './calibrate.ts';
import { type StartTargetOptions, withTarget } from './target/start-target.ts';
import { probeProcess } from './target-probe.ts';

/** An attack, and the small target it is calibrated against. */
interface Case {
  readonly title: string;
  readonly target: StartTargetOptions;
  readonly choice: AttackChoice;
}

/** A row of the table: an attack under the name of its variant. */
export interface CalibrationRow {
  readonly title: string;
  readonly calibration: Calibration;
}

const fallbackFlag = '--enable-experimental-regexp-engine-on-excessive-backtracks';

/** Every attack and variant of interest, on TLS with RSA keys of the given size. */
function cases(rsaBits: number): Case[] {
  const target = { tls: true, rsaBits } as const;
  const curable = { ...target, pattern: 'curable' } as const;
  return [
    { title: 'tls-handshake', target, choice: { attack: 'tls-handshake' } },
    {
      title: 'tls-handshake, hello only',
      target,
      choice: { attack: 'tls-handshake', settings: { variant: 'hello-only' } },
    },
    {
      title: 'tls-renegotiation, 100 a connection',
      target: { ...target, liftRenegotiationLimit: true },
      choice: { attack: 'tls-renegotiation' },
    },
    { title: 'redos, look-around', target, choice: { attack: 'redos' } },
    { title: 'redos, curable', target: curable, choice: { attack: 'redos' } },
    {
      title: 'redos, curable, cured by flag',
      target: { ...curable, nodeFlags: [fallbackFlag] },
      choice: { attack: 'redos' },
    },
    { title: 'hash-collision, 2000 keys', target, choice: { attack: 'hash-collision' } },
    { title: 'decompression-bomb, gzip 16 MiB', target, choice: { attack: 'decompression-bomb' } },
    {
      title: 'decompression-bomb, br 16 MiB',
      target,
      choice: { attack: 'decompression-bomb', settings: { encoding: 'br' } },
    },
    { title: 'slowloris, headers', target, choice: { attack: 'slowloris' } },
    { title: 'slowloris, body', target, choice: { attack: 'slowloris', settings: { slow: 'body' } } },
    {
      title: 'slowloris, slow read',
      target,
      choice: { attack: 'slowloris', settings: { slow: 'read', path: '/large' } },
    },
  ];
}

/** Calibrates every attack whose title holds one of the words (all, without words), each on a fresh small target on loopback; calls back after each. */
export async function calibrateAll(
  rsaBits: number,
  words: readonly string[],
  onRow: (row: CalibrationRow) => void,
  options: CalibrationOptions = {},
): Promise<void> {
  for (const { title, target, choice } of cases(rsaBits)) {
    if (words.length > 0 && !words.some((word) => title.includes(word))) continue;
    const calibration = await withTarget(target, ({ host, port, pid }) =>
      calibrate({ ...choice, host, port }, probeProcess(pid), options),
    );
    onRow({ title, calibration });
  }
}
