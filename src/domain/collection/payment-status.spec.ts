import { describe, expect, it } from '@jest/globals';
import type { PaymentOutcome } from './payment-outcome.js';
import { advancePaymentStatus, isUndecided, type PaymentStatus } from './payment-status.js';

const outcomes = {
  paid: { kind: 'paid', paymentId: 'p' },
  declined: {
    kind: 'declined',
    paymentId: 'p',
    declineCode: 'generic_decline',
    hardness: 'soft',
    message: '',
    networkDeclineCode: null,
    networkAdviceCode: null,
    adviceCode: null,
  },
  action_required: { kind: 'action_required', paymentId: 'p', nextAction: { type: 'authenticate' } },
  processing: { kind: 'processing', paymentId: 'p' },
  unknown: { kind: 'unknown', reason: '' },
} satisfies Record<PaymentOutcome['kind'], PaymentOutcome>;

/** From, and what each outcome makes of it, in the order paid, declined, action_required, processing, unknown. */
const transitions: [PaymentStatus, PaymentStatus[]][] = [
  ['pending', ['succeeded', 'failed', 'requires_action', 'processing', 'unknown']],
  ['unknown', ['succeeded', 'failed', 'requires_action', 'processing', 'unknown']],
  ['processing', ['succeeded', 'failed', 'requires_action', 'processing', 'processing']],
  ['requires_action', ['succeeded', 'failed', 'requires_action', 'processing', 'requires_action']],
  ['failed', ['succeeded', 'failed', 'failed', 'failed', 'failed']],
  ['succeeded', ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'succeeded']],
];

describe('The status of a payment', () => {
  it.each(transitions)('%s only moves forward', (from, expected) => {
    expect(Object.values(outcomes).map((outcome) => advancePaymentStatus(from, outcome))).toEqual(expected);
  });

  it('is undecided until it has succeeded or failed', () => {
    expect(transitions.map(([status]) => status).filter(isUndecided)).toEqual([
      'pending',
      'unknown',
      'processing',
      'requires_action',
    ]);
  });
});
