import { DAY, type Instant, plus, SECOND } from '../calendar/instant.js';
import { invariant } from '../invariant.js';
import type { PaymentOutcome } from './payment-outcome.js';

export interface RetryPolicy {
  /** Days to wait after the first, second, … decline. The ladder ends with the list. */
  readonly days: readonly number[];
}

export interface AttemptHistory {
  /** Declines so far with this payment method, the last one included. Unknown outcomes are not declines. */
  readonly declines: number;
  /** When the gateway was first asked for this charge. */
  readonly askedAt: Instant;
  /** When the last outcome came. */
  readonly answeredAt: Instant;
}

const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** An unanswered charge is asked after soon and then ever more rarely, but never given up: money may have moved. */
const INQUIRIES_AFTER = { unknown: [5 * MINUTE, HOUR], processing: [HOUR], action_required: [] as number[] };

/**
 * When collection acts next, or null when only a person or the customer can bring it on.
 *
 * - paid: never again;
 * - soft decline: the ladder, counted from the decline, so that a try that came late does not push two tries together;
 * - hard decline: not with this method;
 * - unknown, processing, waiting for the cardholder: no new charge, the gateway is asked after. After the listed delays,
 *   once a day, counted from the first question.
 *
 * Example: days [3, 5, 7], second decline on 4 March 10:00 → 9 March 10:00; the fourth decline → null.
 */
export function retrySchedule(policy: RetryPolicy, history: AttemptHistory, outcome: PaymentOutcome): Instant | null {
  switch (outcome.kind) {
    case 'paid':
      return null;
    case 'declined': {
      invariant(history.declines >= 1, 'A declined payment counts at least one decline');
      const days = policy.days[history.declines - 1];
      if (outcome.hardness === 'hard' || days === undefined) return null;
      return plus(history.answeredAt, Math.round(days * DAY));
    }
    case 'unknown':
    case 'processing':
    case 'action_required':
      return nextInquiry(INQUIRIES_AFTER[outcome.kind], history);
  }
}

function nextInquiry(delays: readonly number[], { askedAt, answeredAt }: AttemptHistory): Instant {
  for (const delay of delays) {
    if (askedAt + delay > answeredAt) return plus(askedAt, delay);
  }
  const days = Math.floor((answeredAt - askedAt) / DAY) + 1;
  return plus(askedAt, days * DAY);
}
