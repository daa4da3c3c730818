/**
 * What the lab throws for anything a user did or a machine lacks: the message says what is wrong and how to
 * mend it, and is printed alone, without a stack trace. Several faults found together are joined by newlines.
 */
export class LabError extends Error {
  override readonly name = 'LabError';
}
