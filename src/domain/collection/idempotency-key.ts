import { invariant } from '../invariant.js';

/** Stripe's limit, the smallest among the gateways. */
const MAX_LENGTH = 255;

/**
 * Names one charge for the gateway: the same attempt with the same method has the same key however often it is sent, and a
 * new ordinal (made only after a final answer) or a new method has another one.
 */
export function idempotencyKey(invoiceId: string, attempt: number, methodId: string): string {
  invariant(Number.isSafeInteger(attempt) && attempt >= 1, 'Attempts are counted from 1');
  const key = `${invoiceId}/${attempt}/${methodId}`;
  invariant(key.length <= MAX_LENGTH, `An idempotency key has at most ${MAX_LENGTH} characters`);
  return key;
}
