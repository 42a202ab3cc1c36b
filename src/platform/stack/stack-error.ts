/** Something the person at the terminal can mend; the message says what is missing and what to do. No stack trace helps. */
export class StackError extends Error {
  override name = 'StackError';

  /** The problem, then what to do about it, each on a line of its own. */
  static withAdvice(problem: string, ...advice: string[]): StackError {
    return new StackError([problem, ...advice.map((line) => `  → ${line}`)].join('\n'));
  }
}
