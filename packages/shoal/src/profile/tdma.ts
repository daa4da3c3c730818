import { add, divide, type Exact, equal, floor, less, modulo, multiply, sign, subtract } from './exact.ts';
import { latencyAt } from './link.ts';
import { createProfile, latencyOf, type ProfileRowInput, type TrafficProfile } from './profile.ts';

/** What giving a link to one of several stations in turn costs at most. */
export interface TdmaBounds {
  /** `slot bandwidth · slot length / period`. */
  readonly effectiveBitsPerSecond: Exact;
  /** `period − slot length`: the greatest additional delay. */
  readonly extraDelaySeconds: Exact;
  /** `extra delay · effective bandwidth`: the greatest additional buffer. */
  readonly extraBufferBits: Exact;
}

/** Bounds for a slot of `slotSeconds` in a TDMA period of `periodSeconds`. Throws a RangeError unless 0 < slot ≤ period. */
export function tdmaBounds(slotBitsPerSecond: Exact, slotSeconds: Exact, periodSeconds: Exact): TdmaBounds {
  if (sign(slotSeconds) <= 0 || less(periodSeconds, slotSeconds)) {
    throw new RangeError('the slot must be longer than 0 and at most the TDMA period');
  }
  const effectiveBitsPerSecond = divide(multiply(slotBitsPerSecond, slotSeconds), periodSeconds);
  const extraDelaySeconds = subtract(periodSeconds, slotSeconds);
  return {
    effectiveBitsPerSecond,
    extraDelaySeconds,
    extraBufferBits: multiply(extraDelaySeconds, effectiveBitsPerSecond),
  };
}

/** Options of {@link tdmaProfile}. */
export interface TdmaOptions {
  /** Slots in a TDMA period, at least 1. */
  readonly slots: number;
  /** The slot in which this node may send, from 0. */
  readonly activeSlot: number;
  /** Length of a TDMA period, in seconds. */
  readonly periodSeconds: Exact;
}

/** Most rows of a generated profile. */
export const tdmaMaxRows = 200_000;

/**
 * The profile of a node that may send only in its slot: from time 0 on, slots of `periodSeconds / slots` follow each
 * other, and the rates of the given profile, which are effective ones, become `slots` times as high in the active
 * slot and 0 in the others. Over each TDMA period within one interval the amount stays the same. The TDMA period
 * should divide the profile's, or the slots begin anew with each period of the profile.
 *
 * Throws a RangeError for options that make no sense or more than {@link tdmaMaxRows} rows.
 */
export function tdmaProfile(profile: TrafficProfile, options: TdmaOptions): TrafficProfile {
  const { slots, activeSlot, periodSeconds } = options;
  if (!Number.isSafeInteger(slots) || slots < 1)
    throw new RangeError('slots must be a whole number of at least 1');
  if (!Number.isSafeInteger(activeSlot) || activeSlot < 0 || activeSlot >= slots) {
    throw new RangeError(`the active slot must be a whole number from 0 to ${slots - 1}`);
  }
  if (sign(periodSeconds) <= 0) throw new RangeError('the TDMA period must be more than 0 seconds');
  const slotSeconds = divide(periodSeconds, slots);
  const latency = latencyOf(profile);
  const rows: ProfileRowInput[] = [];
  for (const [index, row] of profile.rows.entries()) {
    const end = profile.rows[index + 1]?.timeSeconds ?? profile.periodSeconds;
    // Nothing to be sent needs no slots.
    const whole = sign(row.maxBitsPerSecond) === 0;
    let time = row.timeSeconds;
    while (less(time, end)) {
      const slot = floor(divide(time, slotSeconds));
      const share = equal(modulo(slot, slots), activeSlot) ? slots : 0;
      rows.push({
        timeSeconds: time,
        meanBitsPerSecond: multiply(row.meanBitsPerSecond, share),
        maxBitsPerSecond: multiply(row.maxBitsPerSecond, share),
        latencySeconds: latencyAt(latency, time),
      });
      if (rows.length > tdmaMaxRows)
        throw new RangeError(`more than ${tdmaMaxRows} rows: use a longer TDMA period`);
      time = whole ? end : multiply(add(slot, 1), slotSeconds);
    }
  }
  return createProfile({ ...profile, rows }, profile.name);
}
