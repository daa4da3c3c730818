import type { Random } from './random.ts';

/**
 * A stretch of an attack. Rates are requests per second, or cores' worth of CPU at the target when the attack
 * is given a strength (see `AttackOptions.strength`). A pause is a steady phase of rate 0.
 */
export type Phase =
  | { readonly shape: 'steady'; readonly rate: number; readonly durationMs: number }
  | {
      readonly shape: 'ramp';
      /** Rate at the start of the phase. */
      readonly fromRate: number;
      /** Rate at its end; between the two it changes in a straight line. */
      readonly toRate: number;
      readonly durationMs: number;
    };

/** A slice shorter than a nanosecond is none: rates over it would not be numbers any more. */
const PHASE_MIN_MS = 1e-6;

/** Sum of the phases' durations, in milliseconds. */
export function totalDurationMs(phases: readonly Phase[]): number {
  return phases.reduce((sum, phase) => sum + phase.durationMs, 0);
}

/** The rates at both ends of a phase. */
export function endRates(phase: Phase): readonly [from: number, to: number] {
  return phase.shape === 'steady' ? [phase.rate, phase.rate] : [phase.fromRate, phase.toRate];
}

/** Requests that fall in the first `elapsedMs` of a phase (per-second rates): the area under its line. */
function requestsWithin(phase: Phase, elapsedMs: number): number {
  const [from, to] = endRates(phase);
  const seconds = elapsedMs / 1000;
  return (from + ((to - from) * (elapsedMs / phase.durationMs)) / 2) * seconds;
}

/** Expected number of requests of the whole plan, when rates are requests per second. */
export function expectedRequests(phases: readonly Phase[]): number {
  return phases.reduce((sum, phase) => sum + requestsWithin(phase, phase.durationMs), 0);
}

/** Index of the phase that `elapsedMs` falls into; the last one once all are over. */
export function phaseAt(phases: readonly Phase[], elapsedMs: number): number {
  let end = 0;
  for (const [index, phase] of phases.entries()) {
    end += phase.durationMs;
    if (elapsedMs < end) return index;
  }
  return Math.max(0, phases.length - 1);
}

/** Multiplies every rate: turns cores' worth into requests per second. */
export function scaleRates(phases: readonly Phase[], factor: number): Phase[] {
  return phases.map((phase) =>
    phase.shape === 'steady'
      ? { ...phase, rate: phase.rate * factor }
      : { ...phase, fromRate: phase.fromRate * factor, toRate: phase.toRate * factor },
  );
}

/** The part of a plan between two moments, as a plan of its own. */
export function slicePhases(phases: readonly Phase[], fromMs: number, toMs: number): Phase[] {
  const slices: Phase[] = [];
  let startMs = 0;
  for (const phase of phases) {
    const beginMs = Math.max(0, fromMs - startMs);
    const endMs = Math.min(phase.durationMs, toMs - startMs);
    startMs += phase.durationMs;
    if (endMs - beginMs < PHASE_MIN_MS) continue;
    const durationMs = endMs - beginMs;
    if (phase.shape === 'steady') {
      slices.push({ ...phase, durationMs });
      continue;
    }
    const perMs = (phase.toRate - phase.fromRate) / phase.durationMs;
    const fromRate = phase.fromRate + perMs * beginMs;
    slices.push({ shape: 'ramp', fromRate, toRate: phase.fromRate + perMs * endMs, durationMs });
  }
  return slices;
}

/** Time within a phase, in ms, by which `count` requests have fallen (inverse of `requestsWithin`). */
function timeOfCount(phase: Phase, count: number): number {
  const [from, to] = endRates(phase);
  const slopePerSecond = (to - from) / (phase.durationMs / 1000);
  if (Math.abs(slopePerSecond) < 1e-12) return (count / from) * 1000;
  // Root of slope/2·t² + from·t = count, in the form that does not cancel for small slopes.
  const root = Math.sqrt(Math.max(0, from * from + 2 * slopePerSecond * count));
  return ((2 * count) / (from + root)) * 1000;
}

/**
 * When each request is sent, in ms from the start of the attack. The k-th request falls where the area under
 * the rate line reaches k + u, with u drawn from [0, 1): evenly spaced in the mean, never in step with anything,
 * and the number sent by any time is within one of what the plan says.
 */
export function* arrivals(phases: readonly Phase[], random: Random): Generator<number, void, undefined> {
  let phaseStartMs = 0;
  let before = 0;
  let index = 0;
  let next = random();
  for (const phase of phases) {
    const total = requestsWithin(phase, phase.durationMs);
    while (next < before + total) {
      yield phaseStartMs + Math.min(phase.durationMs, timeOfCount(phase, next - before));
      index += 1;
      next = index + random();
    }
    before += total;
    phaseStartMs += phase.durationMs;
  }
}
