/** A rule that this code promises was broken: a defect, never something a user did. It is not retried and not caught. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** Throws `InvariantViolation` with the sentence when the condition is false. The sentence says what must hold. */
export function invariant(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new InvariantViolation(sentence);
}
