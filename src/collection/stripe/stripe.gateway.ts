import Stripe from 'stripe';
import type { PaymentOutcome } from '../../domain/collection/payment-outcome.js';
import {
  type ChargeRequest,
  GatewayConfigurationError,
  type NotFound,
  type PaymentGateway,
} from '../payment-gateway.js';
import { toStripeAmount } from './stripe-amount.js';
import { fromStripeError, fromStripeIntent } from './stripe-outcome.js';

const HOUR = 3_600_000;

export interface StripeGatewayOptions {
  /** Each organization charges with its own key. */
  readonly secretKeyOf: (organizationId: string) => Promise<string | null>;
  /** Another address than Stripe's, e.g. `http://127.0.0.1:12111`, for a fake. */
  readonly apiBase?: string | undefined;
  readonly timeoutMs?: number;
  /** Resendings of one request within a call, with the same key. */
  readonly maxNetworkRetries?: number;
}

/** Stripe through its SDK: one payment intent per attempt, confirmed off session. */
export class StripeGateway implements PaymentGateway {
  readonly name = 'stripe';

  constructor(private readonly options: StripeGatewayOptions) {}

  async charge(request: ChargeRequest): Promise<PaymentOutcome> {
    const stripe = await this.client(request.organizationId);
    const amount = toStripeAmount(request.amountCents, request.currency);
    try {
      const intent = await stripe.paymentIntents.create(
        {
          amount,
          currency: request.currency.toLowerCase(),
          ...(request.customerId === null ? {} : { customer: request.customerId }),
          payment_method: request.paymentMethodId,
          off_session: true,
          confirm: true,
          // Nobody is there to be redirected.
          automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
          description: `Invoice ${request.invoiceNumber}`,
          metadata: {
            billow_payment_id: request.paymentId,
            billow_invoice_id: request.invoiceId,
            billow_organization_id: request.organizationId,
          },
        },
        { idempotencyKey: request.idempotencyKey },
      );
      return fromStripeIntent(intent);
    } catch (error) {
      return fromStripeError(error);
    }
  }

  /**
   * By the stored id, else among the payer's intents by our id in the metadata. Listing and not searching: Stripe's search
   * lags behind by up to a minute, and a charge that is not found is sent again.
   */
  async lookup(request: ChargeRequest): Promise<PaymentOutcome | NotFound> {
    const stripe = await this.client(request.organizationId);
    try {
      if (request.providerPaymentId !== null) return await this.retrieve(stripe, request, request.providerPaymentId);
      const matches: Stripe.PaymentIntent[] = [];
      const listing = stripe.paymentIntents.list({
        ...(request.customerId === null ? {} : { customer: request.customerId }),
        // Our clock and Stripe's may differ; an hour is more than they do.
        created: { gte: Math.floor((request.requestedAt.getTime() - HOUR) / 1000) },
        limit: 100,
      });
      for await (const intent of listing) {
        if (intent.metadata?.['billow_payment_id'] === request.paymentId) matches.push(intent);
      }
      const intent = matches.find((match) => match.status === 'succeeded') ?? matches[0];
      return intent === undefined ? { kind: 'not_found' } : fromStripeIntent(intent);
    } catch (error) {
      return fromFailedLookup(error);
    }
  }

  async abandon(request: ChargeRequest): Promise<PaymentOutcome> {
    const stripe = await this.client(request.organizationId);
    try {
      const found = await this.lookup(request);
      if (found.kind !== 'action_required') return found.kind === 'not_found' ? notSent() : found;
      return fromStripeIntent(await stripe.paymentIntents.cancel(found.paymentId));
    } catch (error) {
      // The cardholder was quicker than the cancellation, or the call got lost: what Stripe has now decides.
      if (error instanceof Stripe.errors.StripeError) {
        const now = await this.lookup(request);
        return now.kind === 'not_found' ? notSent() : now;
      }
      throw error;
    }
  }

  async defaultMethod(organizationId: string, customerId: string): Promise<string | null> {
    const stripe = await this.client(organizationId);
    try {
      const customer = await stripe.customers.retrieve(customerId);
      if (customer.deleted === true) return null;
      const chosen = customer.invoice_settings?.default_payment_method ?? customer.default_source;
      if (chosen != null) return typeof chosen === 'string' ? chosen : chosen.id;
      const methods = await stripe.customers.listPaymentMethods(customerId, { limit: 1 });
      return methods.data[0]?.id ?? null;
    } catch (error) {
      // Throws when Stripe refuses us; for anything else there is no outcome to speak of.
      fromStripeError(error);
      throw error;
    }
  }

  private async retrieve(stripe: Stripe, request: ChargeRequest, intentId: string): Promise<PaymentOutcome> {
    const intent = await stripe.paymentIntents.retrieve(intentId);
    if (intent.metadata['billow_payment_id'] !== request.paymentId) {
      throw new GatewayConfigurationError(`Stripe's payment intent ${intentId} does not belong to this payment.`);
    }
    return fromStripeIntent(intent);
  }

  private async client(organizationId: string): Promise<Stripe> {
    const key = await this.options.secretKeyOf(organizationId);
    if (key === null || key === '') {
      throw new GatewayConfigurationError('The organization has no Stripe secret key.');
    }
    return new Stripe(key, {
      timeout: this.options.timeoutMs ?? 20_000,
      maxNetworkRetries: this.options.maxNetworkRetries ?? 2,
      telemetry: false,
      ...address(this.options.apiBase),
    });
  }
}

function address(apiBase: string | undefined): { host?: string; port?: string; protocol?: 'http' | 'https' } {
  if (apiBase === undefined) return {};
  const url = new URL(apiBase);
  const protocol = url.protocol === 'http:' ? 'http' : 'https';
  return { host: url.hostname, port: url.port === '' ? (protocol === 'http' ? '80' : '443') : url.port, protocol };
}

function fromFailedLookup(error: unknown): PaymentOutcome {
  // Not "declined" or "not found": a question that was refused says nothing about the charge.
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    throw new GatewayConfigurationError(`Stripe refused to look the payment up: ${error.message}`, { cause: error });
  }
  return fromStripeError(error);
}

function notSent(): PaymentOutcome {
  return {
    kind: 'declined',
    paymentId: null,
    declineCode: 'canceled',
    hardness: 'hard',
    message: 'The payment was given up before it reached Stripe.',
    networkDeclineCode: null,
    networkAdviceCode: null,
    adviceCode: null,
  };
}
