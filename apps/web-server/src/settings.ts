/** The settings, from environment variables: read once, checked all together. */
import { defaultWebLimits, type WebLimits } from './limits.ts';
import type { CredentialFiles } from './tls/credentials.ts';
import { ownCertificate } from './tls/own-certificate.ts';

export interface WebSettings {
  /** `SHOAL_WEB_HOST`. Default 127.0.0.1. */
  readonly host: string;
  /** `SHOAL_WEB_PORT`; 0: any free one. Default 8443. */
  readonly port: number;
  /** `SHOAL_WEB_CERT` and `SHOAL_WEB_KEY`: PEM files. Default: a self-signed certificate is made. */
  readonly credentialFiles: CredentialFiles;
  /** `SHOAL_WEB_OBJECTS`: a `redis://` address. Default: empty, the embedded store. */
  readonly objects: string;
  /** `SHOAL_WEB_SEARCH_DEADLINE_MS`: a search that has not come back is answered 503. Default 900. */
  readonly searchDeadlineMs: number;
  /** `SHOAL_WEB_SEARCH_RUN_LIMIT_MS`: a search that runs longer is stopped, its thread replaced. Default 3,000. */
  readonly searchRunLimitMs: number;
  /** `SHOAL_WEB_SEARCH_QUEUE_MAX`: searches waiting at one instance; further ones are refused. Default 64. */
  readonly searchQueueMax: number;
  /**
   * `SHOAL_WEB_SEARCH_QUEUE_MAX_MS`: a search that would not be done by then at its instance, by what searches of texts of
   * such lengths took there, is refused at once: its client learns in a millisecond, instead of waiting in vain. Two thirds
   * of the deadline leave time for some that take longer than others of their length. Default 600.
   */
  readonly searchQueueMaxMs: number;
  /** `SHOAL_WEB_RETRY_AFTER_SECONDS`. Default 1. */
  readonly retryAfterSeconds: number;
  /**
   * Timeouts: `SHOAL_WEB_HEADERS_TIMEOUT_MS`, `…_BODY_TIMEOUT_MS`, `…_IDLE_TIMEOUT_MS`, `…_HANDSHAKE_TIMEOUT_MS`, `…_HANDSHAKE_TURN_MS`,
   * `…_WRITE_TIMEOUT_MS`, `…_LINGER_MS`; the bounds `SHOAL_WEB_SILENT_MAX`, `SHOAL_WEB_HANDSHAKES_MAX` and
   * `SHOAL_WEB_HANDSHAKES_WAITING_MAX`. Defaults: {@link defaultWebLimits}.
   */
  readonly limits: WebLimits;
}

/** Thrown for settings that cannot be used; its message lists all of them. */
export class WebSettingsError extends Error {
  readonly code = 'WEB_SETTINGS';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    // One line: a program that loads this one may show no more than the first.
    super(`the web server's settings cannot be used: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** Longest time and largest count that a setting may have. */
const numberMax = 3_600_000;

function isRedisAddress(text: string): boolean {
  return URL.canParse(text) && ['redis:', 'rediss:'].includes(new URL(text).protocol);
}

const variables: ReadonlySet<string> = new Set([
  'SHOAL_WEB_HOST',
  'SHOAL_WEB_PORT',
  'SHOAL_WEB_CERT',
  'SHOAL_WEB_KEY',
  'SHOAL_WEB_OBJECTS',
  'SHOAL_WEB_SEARCH_DEADLINE_MS',
  'SHOAL_WEB_SEARCH_RUN_LIMIT_MS',
  'SHOAL_WEB_SEARCH_QUEUE_MAX',
  'SHOAL_WEB_SEARCH_QUEUE_MAX_MS',
  'SHOAL_WEB_RETRY_AFTER_SECONDS',
  'SHOAL_WEB_HEADERS_TIMEOUT_MS',
  'SHOAL_WEB_BODY_TIMEOUT_MS',
  'SHOAL_WEB_IDLE_TIMEOUT_MS',
  'SHOAL_WEB_HANDSHAKE_TIMEOUT_MS',
  'SHOAL_WEB_HANDSHAKE_TURN_MS',
  'SHOAL_WEB_WRITE_TIMEOUT_MS',
  'SHOAL_WEB_LINGER_MS',
  'SHOAL_WEB_SILENT_MAX',
  'SHOAL_WEB_HANDSHAKES_MAX',
  'SHOAL_WEB_HANDSHAKES_WAITING_MAX',
]);

/** Reads the settings. @throws WebSettingsError */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): WebSettings {
  const problems: string[] = [];
  const whole = (name: string, fallback: number, low: number, high: number = numberMax): number => {
    const text = environment[name];
    if (text === undefined || text === '') return fallback;
    const number = Number(text);
    if (Number.isInteger(number) && number >= low && number <= high) return number;
    problems.push(`${name}=${text}: a whole number from ${low} to ${high} is needed`);
    return fallback;
  };
  for (const name of Object.keys(environment)) {
    if (name.startsWith('SHOAL_WEB_') && !variables.has(name))
      problems.push(`${name}: there is no such setting`);
  }
  const limits: WebLimits = {
    ...defaultWebLimits,
    headersTimeoutMs: whole('SHOAL_WEB_HEADERS_TIMEOUT_MS', defaultWebLimits.headersTimeoutMs, 1),
    bodyTimeoutMs: whole('SHOAL_WEB_BODY_TIMEOUT_MS', defaultWebLimits.bodyTimeoutMs, 1),
    idleTimeoutMs: whole('SHOAL_WEB_IDLE_TIMEOUT_MS', defaultWebLimits.idleTimeoutMs, 1),
    handshakeTimeoutMs: whole('SHOAL_WEB_HANDSHAKE_TIMEOUT_MS', defaultWebLimits.handshakeTimeoutMs, 1),
    handshakeTurnMs: whole('SHOAL_WEB_HANDSHAKE_TURN_MS', defaultWebLimits.handshakeTurnMs, 1),
    writeTimeoutMs: whole('SHOAL_WEB_WRITE_TIMEOUT_MS', defaultWebLimits.writeTimeoutMs, 1),
    lingerMs: whole('SHOAL_WEB_LINGER_MS', defaultWebLimits.lingerMs, 1),
    silentMax: whole('SHOAL_WEB_SILENT_MAX', defaultWebLimits.silentMax, 1, 100_000),
    handshakesMax: whole('SHOAL_WEB_HANDSHAKES_MAX', defaultWebLimits.handshakesMax, 1, 10_000),
    handshakesWaitingMax: whole(
      'SHOAL_WEB_HANDSHAKES_WAITING_MAX',
      defaultWebLimits.handshakesWaitingMax,
      0,
      100_000,
    ),
  };
  const objects = environment.SHOAL_WEB_OBJECTS ?? '';
  if (objects !== '' && !isRedisAddress(objects)) {
    problems.push('SHOAL_WEB_OBJECTS: an address like redis://127.0.0.1:6379 is needed, or nothing');
  }
  const certificateFile = environment.SHOAL_WEB_CERT ?? '';
  const keyFile = environment.SHOAL_WEB_KEY ?? '';
  if ((certificateFile === '') !== (keyFile === '')) {
    problems.push('SHOAL_WEB_CERT and SHOAL_WEB_KEY: give both, or neither');
  }
  const settings = {
    host: environment.SHOAL_WEB_HOST || '127.0.0.1',
    port: whole('SHOAL_WEB_PORT', 8_443, 0, 65_535),
    objects,
    searchDeadlineMs: whole('SHOAL_WEB_SEARCH_DEADLINE_MS', 900, 1),
    searchRunLimitMs: whole('SHOAL_WEB_SEARCH_RUN_LIMIT_MS', 3_000, 1),
    searchQueueMax: whole('SHOAL_WEB_SEARCH_QUEUE_MAX', 64, 1, 100_000),
    searchQueueMaxMs: whole('SHOAL_WEB_SEARCH_QUEUE_MAX_MS', 600, 1),
    retryAfterSeconds: whole('SHOAL_WEB_RETRY_AFTER_SECONDS', 1, 0),
    limits,
  };
  if (problems.length > 0) throw new WebSettingsError(problems);
  return {
    ...settings,
    credentialFiles: certificateFile === '' ? ownCertificate() : { certificateFile, keyFile },
  };
}
