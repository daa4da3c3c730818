/** The errors of the package, each with a stable code. Refusals on the data path are outcomes, not errors. */

/** Every error code, with what it means and what to do. Documented in `docs/errors.md`; a test keeps both equal. */
export const errorCodes = {
  SHOAL_INVALID_APP:
    'The app or its deployment is wrong; `problems` lists everything, with places and how to mend it.',
  SHOAL_APP_LOAD: 'The app module could not be loaded, or its default export is not an app; see the message.',
  SHOAL_PROFILE_INVALID:
    'Profiles, a network or allotments are wrong or do not fit together; `problems` lists everything, with places and how to mend it.',
  SHOAL_STATES_FULL:
    'A keyed instance holds as many states as `statesMax` allows; delete some, or raise the limit.',
  SHOAL_BAD_CALL: 'A function was called in a way that it does not allow; see the message.',
  SHOAL_START_FAILED: 'An instance or a thread could not be started; see the message for the cause.',
  SHOAL_STALE_EPOCH:
    'A command bears an older controller epoch than one already seen; it was not carried out.',
  SHOAL_OVERLOADED:
    'An isolated function refused or shed the call; answer 503 and let the caller try again later.',
  SHOAL_CALL_FAILED:
    'An isolated function failed (threw, ran over its limit, lost its thread, or was closed); see `reason`.',
  SHOAL_CONTROL: 'The control endpoint could not be reached, refused the token, or answered with an error.',
  SHOAL_COMMAND_LINE: 'The command line is wrong; see the message.',
  SHOAL_INTERNAL: 'A mistake of Shoal itself; please report it, with `facts.stack`.',
} as const;

/** The code of a {@link ShoalError}: it says what happened, and does not change from one version to the next. */
export type ErrorCode = keyof typeof errorCodes;

/** An error of Shoal. `facts` are the figures and names in its message, for programs. */
export class ShoalError extends Error {
  override readonly name: string = 'ShoalError';
  readonly code: ErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    facts: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }
}
