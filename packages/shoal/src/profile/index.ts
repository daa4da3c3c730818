/**
 * Traffic profiles and their analysis: pure functions in exact arithmetic, without clock or I/O.
 *
 * @module
 */
export {
  type Allotment,
  checkAdmissible,
  describeGrowth,
  readAllotments,
} from './allotment.ts';
export { analysisMaxBreakPoints, settleMaxPeriods } from './analysis-run.ts';
export { type AnalyzeOptions, analysisMaxPeriods, analyze } from './analyze.ts';
export { DelayMeter, type DelayRule, type Passage } from './delay-meter.ts';
export { describeProblem, ProfileError, type ProfileProblem } from './errors.ts';
export {
  add,
  compare,
  divide,
  type Exact,
  equal,
  exact,
  Fraction,
  formatExact,
  lcm,
  multiply,
  parseExact,
  ratio,
  subtract,
  toNumber,
} from './exact.ts';
export { formatBits, formatSeconds } from './format.ts';
export { type Latency, Link, latencyAt } from './link.ts';
export {
  arrivalCurve,
  type CalculusBounds,
  calculusBounds,
  calculusMaxBreakPoints,
  documentedCurve,
  hopBounds,
  serviceCurve,
} from './network-calculus.ts';
export { directNetwork, type Network, readNetworkText, routeKey } from './network-text.ts';
export { plotHtml, plotMaxHops, plotSvg } from './plot/plot.ts';
export {
  type CheckedProfile,
  checkProfile,
  createProfile,
  latencyOf,
  type ProfileInput,
  type ProfileKind,
  type ProfileLines,
  type ProfilePlace,
  type ProfileRow,
  type ProfileRowInput,
  profileKinds,
  profileMaxRows,
  ratesOf,
  type TrafficProfile,
} from './profile.ts';
export { type ProfileDocument, profileToDocument, readProfileDocument } from './profile-document.ts';
export { profileTextMaxCharacters, readProfileText, writeProfileText } from './profile-text.ts';
export { type AnalysisReport, type FlowReport, type HopReport, toReport } from './report.ts';
export type { AnalysisResult, FlowResult, HopCurves, HopResult, HopRole } from './result.ts';
export { type Convolution, convolve, type Peak } from './server.ts';
export {
  addSteps,
  type Cumulative,
  differentiate,
  integrate,
  repeatSteps,
  type Steps,
  subtractSteps,
  total,
  valueAt,
  window,
} from './steps.ts';
export type { SystemInput } from './system.ts';
export { type TdmaBounds, type TdmaOptions, tdmaBounds, tdmaMaxRows, tdmaProfile } from './tdma.ts';
