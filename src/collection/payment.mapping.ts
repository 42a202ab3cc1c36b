import { type Instant, instant } from '../domain/calendar/instant.js';
import { classifyDecline } from '../domain/collection/decline-classification.js';
import type { PaymentOutcome } from '../domain/collection/payment-outcome.js';
import { advancePaymentStatus } from '../domain/collection/payment-status.js';
import type { ChargeRequest } from './payment-gateway.js';
import type { PaymentRow } from './payment.entity.js';

export function toChargeRequest(row: PaymentRow, invoiceNumber: string): ChargeRequest {
  return {
    organizationId: row.organizationId,
    invoiceId: row.invoiceId,
    invoiceNumber,
    paymentId: row.id,
    idempotencyKey: row.idempotencyKey,
    customerId: row.providerCustomerId ?? null,
    paymentMethodId: row.providerPaymentMethodId ?? '',
    amountCents: row.amountCents,
    currency: row.amountCurrency,
    requestedAt: row.requestedAt,
    providerPaymentId: row.providerPaymentId ?? null,
  };
}

/** Writes an outcome into the row, forward only. False when it says nothing new: the row is untouched then. */
export function applyOutcome(row: PaymentRow, outcome: PaymentOutcome, now: Date): boolean {
  const status = advancePaymentStatus(row.status, outcome);
  if (status === row.status) return false;
  row.status = status;
  row.updatedAt = now;
  if (outcome.kind !== 'unknown' && outcome.paymentId !== null) row.providerPaymentId = outcome.paymentId;
  row.declineCode = outcome.kind === 'declined' ? outcome.declineCode : null;
  row.networkDeclineCode = outcome.kind === 'declined' ? outcome.networkDeclineCode : null;
  row.networkAdviceCode = outcome.kind === 'declined' ? outcome.networkAdviceCode : null;
  row.adviceCode = outcome.kind === 'declined' ? outcome.adviceCode : null;
  row.failureMessage =
    outcome.kind === 'declined' ? outcome.message : outcome.kind === 'unknown' ? outcome.reason : null;
  row.nextAction = outcome.kind === 'action_required' ? outcome.nextAction : null;
  return true;
}

/** The outcome that a row tells of. A row that was never answered ('pending') is as unknown as one that got no answer. */
export function outcomeOf(row: PaymentRow): PaymentOutcome {
  const paymentId = row.providerPaymentId ?? '';
  switch (row.status) {
    case 'succeeded':
      return { kind: 'paid', paymentId };
    case 'processing':
      return { kind: 'processing', paymentId };
    case 'requires_action':
      return { kind: 'action_required', paymentId, nextAction: row.nextAction ?? { type: 'authenticate' } };
    case 'pending':
    case 'unknown':
      return { kind: 'unknown', reason: row.failureMessage ?? 'The gateway has not been heard yet.' };
    case 'failed': {
      const signals = {
        declineCode: row.declineCode ?? 'generic_decline',
        networkDeclineCode: row.networkDeclineCode ?? null,
        networkAdviceCode: row.networkAdviceCode ?? null,
        adviceCode: row.adviceCode ?? null,
      };
      return {
        kind: 'declined',
        paymentId: row.providerPaymentId ?? null,
        ...signals,
        hardness: classifyDecline(signals),
        message: row.failureMessage ?? '',
      };
    }
  }
}

export function toInstant(date: Date): Instant {
  return instant(date.getTime());
}
