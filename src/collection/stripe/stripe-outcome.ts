import Stripe from 'stripe';
import { classifyDecline } from '../../domain/collection/decline-classification.js';
import type { ActionRequired, Declined, PaymentOutcome } from '../../domain/collection/payment-outcome.js';
import { GatewayConfigurationError } from '../payment-gateway.js';

/** Refusals of a request that are about the payer's card or the amount, not about our set-up. */
const refusedCharges: Record<string, string> = {
  amount_too_small: 'amount_too_small',
  amount_too_large: 'amount_too_large',
};

export function fromStripeIntent(intent: Stripe.PaymentIntent): PaymentOutcome {
  switch (intent.status) {
    case 'succeeded':
      return { kind: 'paid', paymentId: intent.id };
    case 'processing':
      return { kind: 'processing', paymentId: intent.id };
    case 'requires_action':
      return actionRequired(intent.id, intent.next_action?.type);
    case 'requires_payment_method': {
      const error = intent.last_payment_error;
      if (error?.code === 'authentication_required') return actionRequired(intent.id);
      return declined(intent.id, {
        declineCode: error?.decline_code ?? error?.code ?? 'payment_method_unavailable',
        message: error?.message ?? 'The payment has no usable payment method.',
        networkDeclineCode: error?.network_decline_code,
        networkAdviceCode: error?.network_advice_code,
        adviceCode: error?.advice_code,
      });
    }
    case 'canceled':
      return declined(intent.id, {
        declineCode: 'canceled',
        message: `The payment was canceled at Stripe (${intent.cancellation_reason ?? 'no reason given'}).`,
      });
    default:
      // Statuses that a confirmed, automatically captured charge passes through at most for a moment.
      return { kind: 'unknown', reason: `Stripe's payment intent ${intent.id} is still "${intent.status}".` };
  }
}

/**
 * What an error of the SDK says about the charge:
 *
 * - the card's side answered no: declined, or authentication is needed;
 * - nobody answered, or Stripe itself failed, or was too busy: unknown, for the charge may have been made;
 * - Stripe refused us: `GatewayConfigurationError`, thrown; nothing was charged.
 */
export function fromStripeError(error: unknown): PaymentOutcome {
  if (error instanceof Stripe.errors.StripeCardError) {
    const intent = error.payment_intent as { id: string } | undefined;
    const declineCode = error.decline_code ?? error.code ?? 'generic_decline';
    const needsCardholder = error.code === 'authentication_required' || declineCode === 'authentication_required';
    if (needsCardholder && intent !== undefined) return actionRequired(intent.id);
    return declined(intent?.id ?? null, {
      declineCode,
      message: error.message,
      networkDeclineCode: error.network_decline_code,
      networkAdviceCode: error.network_advice_code,
      adviceCode: error.advice_code,
    });
  }
  if (error instanceof Stripe.errors.StripeIdempotencyError) {
    // The key was used before with other parameters, so a charge may stand under it: look, do not send.
    return { kind: 'unknown', reason: `Stripe knows the idempotency key from another request: ${error.message}` };
  }
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    const refused = refusedCharges[error.code ?? ''];
    if (refused !== undefined) return declined(null, { declineCode: refused, message: error.message });
    if (error.code === 'resource_missing' && error.param === 'payment_method') {
      return declined(null, { declineCode: 'payment_method_unavailable', message: error.message });
    }
    throw new GatewayConfigurationError(`Stripe refused the request: ${error.message}`, { cause: error });
  }
  if (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError
  ) {
    throw new GatewayConfigurationError(
      `Stripe does not accept the organization's secret key for this request: ${error.message}`,
      { cause: error },
    );
  }
  if (error instanceof Stripe.errors.StripeError) {
    return { kind: 'unknown', reason: `${error.type}: ${error.message}` };
  }
  throw error;
}

function actionRequired(paymentId: string, type = 'authenticate'): ActionRequired {
  // The type alone: Stripe's next action carries addresses and secrets with which anybody could go on with the payment.
  return { kind: 'action_required', paymentId, nextAction: { type } };
}

interface DeclineDetails {
  readonly declineCode: string;
  readonly message: string;
  readonly networkDeclineCode?: string | null | undefined;
  readonly networkAdviceCode?: string | null | undefined;
  readonly adviceCode?: string | null | undefined;
}

function declined(paymentId: string | null, details: DeclineDetails): Declined {
  const signals = {
    declineCode: details.declineCode,
    networkDeclineCode: details.networkDeclineCode ?? null,
    networkAdviceCode: details.networkAdviceCode ?? null,
    adviceCode: details.adviceCode ?? null,
  };
  return { kind: 'declined', paymentId, ...signals, hardness: classifyDecline(signals), message: details.message };
}
