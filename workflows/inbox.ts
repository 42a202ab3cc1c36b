import { condition, currentUpdateInfo } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';

/**
 * Updates that wait for the main loop: a handler only puts its request here and waits for the answer, so that one place acts
 * and everything happens in one order.
 */
export class Inbox<Request> {
  private readonly waiting: { readonly id: string; readonly request: Request }[] = [];
  private readonly answers = new Map<string, { readonly value: unknown } | ApplicationFailure>();

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  async ask<Answer>(request: Request): Promise<Answer> {
    const id = currentUpdateInfo()?.id ?? '';
    this.waiting.push({ id, request });
    await condition(() => this.answers.has(id));
    const answer = this.answers.get(id);
    this.answers.delete(id);
    if (answer instanceof ApplicationFailure) throw answer;
    return answer?.value as Answer;
  }

  /** Answers all that wait, one after the other. What fails is a failure of its request and of nothing else. */
  async answerAll(answer: (request: Request) => Promise<unknown>): Promise<void> {
    for (const { id, request } of this.waiting.splice(0)) {
      try {
        this.answers.set(id, { value: await answer(request) });
      } catch (cause) {
        this.answers.set(id, ApplicationFailure.create({ message: reason(cause), nonRetryable: true }));
      }
    }
  }
}

function reason(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}
