import { type Instant, toIso, toIsoMilliseconds } from '../domain/calendar/instant.js';
import { collectionState, type CollectionState } from '../domain/collection/collection-state.js';
import { isUndecided } from '../domain/collection/payment-status.js';
import { type RetryPolicy, retrySchedule } from '../domain/collection/retry-schedule.js';
import { currencyExponent } from '../domain/money/currency.js';
import { fromMinorUnits } from '../domain/money/money.js';
import type { CollectionResult } from '../../workflows/collection.contract.js';
import type { CustomerRow } from '../customers/customer.entity.js';
import { outcomeOf, toInstant } from './payment.mapping.js';
import type { PaymentRow } from './payment.entity.js';

/** Stored as the decline code of an attempt that the gateway refused to deal with: nobody's card was asked. */
export const CONFIGURATION_ERROR = 'configuration_error';

/**
 * Where collection stands after this attempt, at `now`. Depends only on the rows, so whoever asks again about a decided
 * attempt gets the same answer: the retry is counted from the decline, not from the question.
 *
 * @param attempts all attempts of the invoice, the given one included
 */
export function attemptResult(
  row: PaymentRow,
  attempts: readonly PaymentRow[],
  customer: CustomerRow,
  policy: RetryPolicy,
  now: Date,
): CollectionResult {
  if (row.declineCode === CONFIGURATION_ERROR) return noGateway(row.attempt + 1, row.failureMessage ?? '', row.attempt);
  const outcome = outcomeOf(row);
  const retryAt =
    outcome.kind === 'declined' && hasNewMethod(row, customer)
      ? toInstant(now)
      : retrySchedule(
          policy,
          {
            declines: declinesOfMethod(row, attempts),
            askedAt: toInstant(row.createdAt),
            answeredAt: toInstant(isUndecided(row.status) ? now : row.updatedAt),
          },
          outcome,
        );
  const state = collectionState(outcome, retryAt);
  return {
    kind: outcome.kind,
    attempt: row.attempt,
    nextAttempt: outcome.kind === 'declined' ? row.attempt + 1 : row.attempt,
    retryAt: retryAt === null ? null : toIsoMilliseconds(retryAt),
    declineCode: outcome.kind === 'declined' ? outcome.declineCode : null,
    message: row.failureMessage ?? null,
    summary: `${words[state]} ${amountOf(row)}${reason(row)}${followUp(state, retryAt)}`,
  };
}

export function nothingToCollect(attempt: number, why: string): CollectionResult {
  return plain('nothing_to_collect', attempt, attempt, `Nothing to collect: ${why}`);
}

export function noGateway(nextAttempt: number, why: string, attempt = nextAttempt): CollectionResult {
  return plain('no_gateway', attempt, nextAttempt, why);
}

/** The customer pays with another card by now: the ladder of the old one does not bind it. */
export function hasNewMethod(row: PaymentRow, customer: CustomerRow): boolean {
  return (
    customer.providerPaymentMethodId != null &&
    customer.paymentProvider != null &&
    (customer.providerPaymentMethodId !== row.providerPaymentMethodId || customer.paymentProvider !== row.provider)
  );
}

function plain(
  kind: 'nothing_to_collect' | 'no_gateway',
  attempt: number,
  nextAttempt: number,
  message: string,
): CollectionResult {
  return { kind, attempt, nextAttempt, retryAt: null, declineCode: null, message, summary: message };
}

/** A new card starts the ladder anew. Attempts that never reached a card do not count. */
function declinesOfMethod(row: PaymentRow, attempts: readonly PaymentRow[]): number {
  return attempts.filter(
    (other) =>
      other.attempt <= row.attempt &&
      other.status === 'failed' &&
      other.declineCode !== CONFIGURATION_ERROR &&
      other.providerPaymentMethodId === row.providerPaymentMethodId,
  ).length;
}

const words: Record<CollectionState, string> = {
  paid: 'Paid',
  retrying: 'Declined',
  exhausted: 'Declined',
  needs_method: 'Declined',
  needs_authentication: 'Cardholder must authenticate',
  confirming: 'Processing',
  asking: 'No answer yet about',
};

function reason(row: PaymentRow): string {
  return row.declineCode == null ? '' : ` (${row.declineCode})`;
}

function followUp(state: CollectionState, retryAt: Instant | null): string {
  const at = retryAt === null ? '' : `${toIso(retryAt).slice(0, 16).replace('T', ' ')} UTC`;
  switch (state) {
    case 'paid':
      return '';
    case 'retrying':
      return `, next try ${at}`;
    case 'exhausted':
      return ', no tries left';
    case 'needs_method':
      return ', a new payment method is needed';
    case 'needs_authentication':
    case 'confirming':
    case 'asking':
      return `, ask the gateway again ${at}`;
  }
}

function amountOf(row: PaymentRow): string {
  const digits = currencyExponent(row.amountCurrency);
  return `${fromMinorUnits(row.amountCents, row.amountCurrency).toFixed(digits)} ${row.amountCurrency}`;
}
