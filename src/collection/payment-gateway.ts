import type { PaymentOutcome } from '../domain/collection/payment-outcome.js';

/** One charge, exactly as stored before the gateway was called: a second sending must not differ by a byte. */
export interface ChargeRequest {
  readonly organizationId: string;
  readonly invoiceId: string;
  readonly invoiceNumber: string;
  /** Our id of the attempt; the gateway keeps it, so that the charge can be found without the gateway's own id. */
  readonly paymentId: string;
  readonly idempotencyKey: string;
  /** The gateway's ids of the payer and of the card. */
  readonly customerId: string | null;
  readonly paymentMethodId: string;
  /** Minor units of `currency`, an ISO 4217 code in upper case. */
  readonly amountCents: number;
  readonly currency: string;
  /** Wall clock, before the first call. */
  readonly requestedAt: Date;
  /** Known once the gateway has answered. */
  readonly providerPaymentId: string | null;
}

/** The gateway has no trace of the charge: it may be sent (again), with the same key. */
export interface NotFound {
  readonly kind: 'not_found';
}

/**
 * Where money is asked for. What the card's side answers is a returned outcome, and so is a call of which nobody knows how
 * it ended (`unknown`). `GatewayConfigurationError` is thrown when the gateway refuses to deal with us and has surely
 * charged nothing; anything else that is thrown is a failure of our own parts.
 */
export interface PaymentGateway {
  readonly name: string;

  /** Charges once for a key, however often it is called. */
  charge(request: ChargeRequest): Promise<PaymentOutcome>;

  /** What has become of a charge that may have been sent. Never charges. */
  lookup(request: ChargeRequest): Promise<PaymentOutcome | NotFound>;

  /** Makes sure that a charge which waits for the cardholder cannot be completed any more. If it was, says so: `paid`. */
  abandon(request: ChargeRequest): Promise<PaymentOutcome>;

  /** The method the gateway itself would use for a payer whose method we were not told; null when there is none. */
  defaultMethod(organizationId: string, customerId: string): Promise<string | null>;
}

/** Our set-up at the gateway is wrong: a key, a permission, an unknown method. Repeating does not help; a person has to. */
export class GatewayConfigurationError extends Error {
  override readonly name = 'GatewayConfigurationError';
}

/** The gateways by the name that a customer's `payment_provider` carries. */
export type PaymentGateways = ReadonlyMap<string, PaymentGateway>;
