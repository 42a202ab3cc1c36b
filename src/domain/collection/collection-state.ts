import type { Instant } from '../calendar/instant.js';
import type { PaymentOutcome } from './payment-outcome.js';

/**
 * Where the collection of an invoice stands after an attempt:
 *
 *   (finalized) ──attempt──► paid
 *        │
 *        ├─ soft decline ──────► retrying ──next slot──► attempt n+1
 *        │                          └─ ladder at its end ► exhausted ──person, new method──► attempt n+1
 *        ├─ hard decline ──────► needs_method ──new method──► attempt n+1, at once
 *        ├─ authentication ────► needs_authentication ──cardholder──► paid | needs_method
 *        ├─ gateway has it ────► confirming ──answer──► paid | retrying | needs_method
 *        └─ no answer ─────────► asking ──the gateway is asked──► any of these; never a new charge
 *
 * Attempt n+1 is made only after attempt n has ended as failed.
 */
export type CollectionState =
  'paid' | 'retrying' | 'exhausted' | 'needs_method' | 'needs_authentication' | 'confirming' | 'asking';

export function collectionState(outcome: PaymentOutcome, retryAt: Instant | null): CollectionState {
  switch (outcome.kind) {
    case 'paid':
      return 'paid';
    case 'declined':
      if (retryAt !== null) return 'retrying';
      return outcome.hardness === 'hard' ? 'needs_method' : 'exhausted';
    case 'action_required':
      return 'needs_authentication';
    case 'processing':
      return 'confirming';
    case 'unknown':
      return 'asking';
  }
}
