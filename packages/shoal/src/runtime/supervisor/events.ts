import type { RuntimeEnd } from './runtime-end.ts';

/** What a supervisor tells of its work. */
export type SupervisorEvent =
  | { readonly kind: 'started'; readonly pid: number; readonly restarts: number }
  | { readonly kind: 'ended'; readonly pid: number; readonly end: RuntimeEnd }
  /** It is started again now. */
  | { readonly kind: 'restarting'; readonly restarts: number }
  /** It ended too often: the supervisor gives up. */
  | {
      readonly kind: 'given-up';
      readonly intensity: number;
      readonly periodMs: number;
      readonly end: RuntimeEnd;
    }
  | { readonly kind: 'stopping'; readonly how: 'drain' | 'now' };

/** One line for people. */
export function describeEvent(event: SupervisorEvent): string {
  switch (event.kind) {
    case 'started':
      return `supervisor: runtime process ${event.pid} started`;
    case 'ended':
      return `supervisor: ${event.end.sentence}`;
    case 'restarting':
      return `supervisor: starting it again (restart ${event.restarts})`;
    case 'given-up':
      return (
        `supervisor: giving up: the runtime process ended more than ${event.intensity} times within ` +
        `${event.periodMs} ms; the last time ${event.end.sentence}. Mend the cause, or raise the restart intensity.`
      );
    case 'stopping':
      return event.how === 'drain'
        ? 'supervisor: stopping; work in progress may end (a second signal stops at once)'
        : 'supervisor: stopping at once';
  }
}
