import type { PaymentOutcome } from './payment-outcome.js';

export type PaymentStatus = 'pending' | 'processing' | 'requires_action' | 'unknown' | 'succeeded' | 'failed';

/**
 * One attempt:
 *
 *   pending ──asked──► succeeded                    pending: the key is stored, the gateway may not have been called yet
 *      │ └───────────► failed ──(paid after all)──► succeeded
 *      ├─────────────► processing ─────┐
 *      ├─────────────► requires_action ┼─► succeeded | failed
 *      └─────────────► unknown ────────┘
 *
 * Notifications come late, twice and out of order, so a status only moves forward: money that has arrived stays arrived,
 * and what has ended is not reopened by an older message. What the gateway does not know any better ('unknown') never
 * replaces what it once said.
 */
export function advancePaymentStatus(current: PaymentStatus, outcome: PaymentOutcome): PaymentStatus {
  const next = statusOf(outcome);
  switch (current) {
    case 'succeeded':
      return 'succeeded';
    case 'failed':
      return next === 'succeeded' ? 'succeeded' : 'failed';
    case 'processing':
    case 'requires_action':
      return next === 'unknown' ? current : next;
    case 'pending':
    case 'unknown':
      return next;
  }
}

/** Still undecided: the gateway has to be asked before this invoice is charged by another attempt. */
export function isUndecided(status: PaymentStatus): boolean {
  return status !== 'succeeded' && status !== 'failed';
}

function statusOf(outcome: PaymentOutcome): PaymentStatus {
  switch (outcome.kind) {
    case 'paid':
      return 'succeeded';
    case 'declined':
      return 'failed';
    case 'action_required':
      return 'requires_action';
    case 'processing':
      return 'processing';
    case 'unknown':
      return 'unknown';
  }
}
