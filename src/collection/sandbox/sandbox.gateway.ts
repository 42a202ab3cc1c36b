import { classifyDecline } from '../../domain/collection/decline-classification.js';
import type { Declined, PaymentOutcome } from '../../domain/collection/payment-outcome.js';
import { invariant } from '../../domain/invariant.js';
import type { Database } from '../../platform/database/database.js';
import {
  type ChargeRequest,
  GatewayConfigurationError,
  type NotFound,
  type PaymentGateway,
} from '../payment-gateway.js';
import { SandboxChargeEntity, type SandboxChargeRow } from '../sandbox-charge.entity.js';
import { type CardBehaviour, declineMessage, sandboxCard } from './sandbox-cards.js';

/**
 * The card networks, simulated: Stripe's test cards, with books of its own. The books are written in a transaction of the
 * gateway, not of the caller, as with a real one: a caller that dies after the call has still charged.
 */
export class SandboxGateway implements PaymentGateway {
  readonly name = 'sandbox';

  constructor(private readonly database: Database) {}

  async charge(request: ChargeRequest): Promise<PaymentOutcome> {
    const card = sandboxCard(request.paymentMethodId);
    if (card === undefined) {
      throw new GatewayConfigurationError(
        `The sandbox has no test card "${request.paymentMethodId}"; use a name such as pm_card_visa or a test number such as 4242424242424242.`,
      );
    }
    const { row, first } = await this.database.tenant(request.organizationId, async (em) => {
      const inserted = await em.execute<unknown[]>(
        `insert into sandbox_charges
           (id, organization_id, idempotency_key, payment_method_id, amount_cents, currency, status, decline_code, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (organization_id, idempotency_key) do nothing
         returning id`,
        [
          chargeId(request),
          request.organizationId,
          request.idempotencyKey,
          request.paymentMethodId,
          request.amountCents,
          request.currency,
          bookedStatus(card),
          card.kind === 'decline' ? card.code : null,
          new Date().toISOString(),
        ],
      );
      const booked = await em.findOneOrFail(SandboxChargeEntity, { idempotencyKey: request.idempotencyKey });
      return { row: booked, first: inserted.length === 1 };
    });
    invariant(
      row.amountCents === request.amountCents &&
        row.currency === request.currency &&
        row.paymentMethodId === request.paymentMethodId,
      'One idempotency key names one charge: amount, currency and method do not change',
    );
    if (first && card.kind === 'outage') {
      return { kind: 'unknown', reason: 'The connection to the sandbox was lost after the request had been sent.' };
    }
    return fromBooks(row);
  }

  async lookup(request: ChargeRequest): Promise<PaymentOutcome | NotFound> {
    const row = await this.database.tenant(request.organizationId, (em) =>
      em.findOne(SandboxChargeEntity, { idempotencyKey: request.idempotencyKey }),
    );
    return row === null ? { kind: 'not_found' } : fromBooks(row);
  }

  async abandon(request: ChargeRequest): Promise<PaymentOutcome> {
    return this.database.tenant(request.organizationId, async (em) => {
      await em.execute(
        `update sandbox_charges set status = 'canceled' where idempotency_key = ? and status = 'requires_action'`,
        [request.idempotencyKey],
      );
      return fromBooks(await em.findOneOrFail(SandboxChargeEntity, { idempotencyKey: request.idempotencyKey }));
    });
  }

  async defaultMethod(): Promise<null> {
    return null;
  }
}

function bookedStatus(card: CardBehaviour): string {
  switch (card.kind) {
    case 'approve':
    case 'outage':
      return 'succeeded';
    case 'decline':
      return 'failed';
    case 'authenticate':
      return 'requires_action';
  }
}

function fromBooks(row: SandboxChargeRow): PaymentOutcome {
  switch (row.status) {
    case 'succeeded':
      return { kind: 'paid', paymentId: row.id };
    case 'requires_action':
      return { kind: 'action_required', paymentId: row.id, nextAction: { type: 'authenticate' } };
    case 'failed':
      return declined(
        row.id,
        row.declineCode ?? 'generic_decline',
        declineMessage(row.declineCode ?? 'generic_decline'),
      );
    case 'canceled':
      return declined(
        row.id,
        'authentication_abandoned',
        'The payment was given up before the cardholder authenticated.',
      );
    default:
      throw new Error(`sandbox_charges.status has an unknown value "${row.status}"`);
  }
}

function declined(paymentId: string, declineCode: string, message: string): Declined {
  return {
    kind: 'declined',
    paymentId,
    declineCode,
    hardness: classifyDecline({ declineCode }),
    message,
    networkDeclineCode: null,
    networkAdviceCode: null,
    adviceCode: null,
  };
}

function chargeId(request: ChargeRequest): string {
  return `sbx_${request.paymentId.replaceAll('-', '')}`;
}
