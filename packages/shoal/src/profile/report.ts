import { toNumber } from './exact.ts';
import type { CalculusBounds } from './network-calculus.ts';
import type { AnalysisResult, HopResult } from './result.ts';

/** An {@link AnalysisResult} as plain numbers (the nearest doubles), for JSON: what `shoal analyze --json` prints. */
export interface AnalysisReport {
  hyperperiodSeconds: number;
  periods: number;
  stable: boolean;
  growthBitsPerHyperperiod: number;
  /** Why an allotment is not met or a backlog grows; empty when everything fits. */
  violations: string[];
  warnings: string[];
  flows: FlowReport[];
}

/** A flow along its route: every hop, and the whole way. */
export interface FlowReport {
  name: string;
  flow: string | null;
  priority: number;
  route: string[];
  hops: HopReport[];
  endToEnd: { delaySeconds: number; timeSeconds: number; sumOfHopDelaysSeconds: number };
}

/** One hop of a flow. The fields are those of {@link HopResult}, as numbers. */
export interface HopReport {
  node: string;
  role: 'transmitter' | 'receiver';
  buffer: { timeSeconds: number; bits: number };
  delay: { timeSeconds: number; seconds: number };
  servedDelay: { timeSeconds: number; seconds: number };
  unservedBits: number;
  backlogBitsAtHyperperiods: number[];
  growthBitsPerHyperperiod: number;
  sharedWith: string[];
  /** Only in network-calculus mode; null when there is no bound. */
  networkCalculus?: {
    buffer: { windowSeconds: number; bits: number };
    delay: { windowSeconds: number; seconds: number };
  } | null;
}

/** `bounds` has an entry for each hop in network-calculus mode. */
export function toReport(
  result: AnalysisResult,
  violations: readonly string[] = [],
  bounds?: ReadonlyMap<HopResult, CalculusBounds | undefined>,
): AnalysisReport {
  return {
    hyperperiodSeconds: toNumber(result.hyperperiodSeconds),
    periods: result.periods,
    stable: result.stable,
    growthBitsPerHyperperiod: toNumber(result.growthBitsPerHyperperiod),
    violations: [...violations],
    warnings: [...result.warnings],
    flows: result.flows.map((flow) => ({
      name: flow.name,
      flow: flow.flow ?? null,
      priority: flow.priority,
      route: [...flow.route],
      hops: flow.hops.map((hop) => hopReport(hop, bounds)),
      endToEnd: {
        delaySeconds: toNumber(flow.endToEnd.delaySeconds),
        timeSeconds: toNumber(flow.endToEnd.timeSeconds),
        sumOfHopDelaysSeconds: toNumber(flow.endToEnd.sumOfHopDelaysSeconds),
      },
    })),
  };
}

function hopReport(hop: HopResult, bounds?: ReadonlyMap<HopResult, CalculusBounds | undefined>): HopReport {
  const calculus = bounds?.get(hop);
  return {
    node: hop.node,
    role: hop.role,
    buffer: { timeSeconds: toNumber(hop.buffer.timeSeconds), bits: toNumber(hop.buffer.bits) },
    delay: { timeSeconds: toNumber(hop.delay.timeSeconds), seconds: toNumber(hop.delay.seconds) },
    servedDelay: {
      timeSeconds: toNumber(hop.servedDelay.timeSeconds),
      seconds: toNumber(hop.servedDelay.seconds),
    },
    unservedBits: toNumber(hop.unservedBits),
    backlogBitsAtHyperperiods: hop.backlogBitsAtHyperperiods.map(toNumber),
    growthBitsPerHyperperiod: toNumber(hop.growthBitsPerHyperperiod),
    sharedWith: [...hop.sharedWith],
    ...(bounds === undefined
      ? {}
      : {
          networkCalculus:
            calculus === undefined
              ? null
              : {
                  buffer: {
                    windowSeconds: toNumber(calculus.buffer.time),
                    bits: toNumber(calculus.buffer.value),
                  },
                  delay: {
                    windowSeconds: toNumber(calculus.delay.time),
                    seconds: toNumber(calculus.delay.value),
                  },
                },
        }),
  };
}
