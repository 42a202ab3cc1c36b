import Stripe from 'stripe';
import { OrganizationEntity } from '../../organizations/organization.entity.js';
import type { Database } from '../../platform/database/database.js';
import { badRequest, notFound } from '../../platform/http/errors.js';
import type { Logger } from '../../platform/logging/logger.js';
import { GatewayWebhookEntity, type GatewayWebhookRow } from '../gateway-webhook.entity.js';
import type { InvoiceWaker } from '../invoice-waker.js';
import type { PaymentsService } from '../payments.service.js';

/** A signature older than this is a replay (Stripe's own default). */
const TOLERANCE_SECONDS = 300;
const SWEEP_SIZE = 100;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface SweepResult {
  readonly processed: number;
  /** Left for the next sweep. */
  readonly failed: number;
}

/**
 * Stripe's notifications. They arrive twice, late and out of order, so each is a hint only: it is stored once under Stripe's
 * event id, answered, and then the payment itself is fetched and moved forward. What could not be processed stays stored and
 * is taken up by the sweep.
 */
export class StripeWebhooks {
  constructor(
    private readonly database: Database,
    private readonly payments: PaymentsService,
    private readonly waker: InvoiceWaker,
    private readonly logger: Logger,
  ) {}

  /**
   * Stores the notification. False when it was stored before.
   *
   * @param body the bytes as they came: the signature is over them, not over what they parse to
   */
  async receive(organizationId: string, body: Buffer, signature: string | undefined): Promise<ReceivedWebhook> {
    const organization = UUID.test(organizationId)
      ? await this.database.tenant(organizationId, (em) => em.findOne(OrganizationEntity, { id: organizationId }))
      : null;
    if (organization === null) throw notFound('organization');
    if (organization.stripeWebhookSecret == null) throw badRequest('the organization has no Stripe webhook secret');
    const event = verified(body, signature, organization.stripeWebhookSecret);
    const inserted = await this.database.tenant(organizationId, (em) =>
      em.execute<unknown[]>(
        `insert into gateway_webhooks (provider, event_id, organization_id, event_type, payload, received_at)
         values ('stripe', ?, ?, ?, ?::jsonb, ?)
         on conflict do nothing
         returning event_id`,
        [event.id, organizationId, event.type, JSON.stringify(event), new Date().toISOString()],
      ),
    );
    return { organizationId, eventId: event.id, isNew: inserted.length === 1 };
  }

  /** Processes one stored notification. A failure is written to its row, and the sweep tries again. */
  async process({ organizationId, eventId }: { organizationId: string; eventId: string }): Promise<boolean> {
    const row = await this.database.tenant(organizationId, (em) =>
      em.findOne(GatewayWebhookEntity, { organizationId, provider: 'stripe', eventId }),
    );
    if (row === null || row.processedAt != null) return true;
    try {
      await this.apply(row);
    } catch (error) {
      this.logger.warn({ err: error, organizationId, eventId }, 'A Stripe webhook waits for the next sweep');
      await this.database.tenant(organizationId, (em) =>
        em.execute(
          `update gateway_webhooks set attempts = attempts + 1, last_error = ? where provider = 'stripe' and event_id = ?`,
          [error instanceof Error ? error.message : String(error), eventId],
        ),
      );
      return false;
    }
    await this.database.tenant(organizationId, (em) =>
      em.execute(
        `update gateway_webhooks set processed_at = ?, last_error = null where provider = 'stripe' and event_id = ?`,
        [new Date().toISOString(), eventId],
      ),
    );
    return true;
  }

  /**
   * Takes up what was stored and never processed: the process died, the gateway or the workflow engine could not be reached.
   * Those that failed least come first, so that one which always fails holds nobody up. For a timer; safe to run in several
   * processes, and at the same time as `process`.
   */
  async processPendingWebhooks(limit = SWEEP_SIZE): Promise<SweepResult> {
    const pending = await this.database.system((em) =>
      em.find(
        GatewayWebhookEntity,
        { provider: 'stripe', processedAt: null },
        { orderBy: { attempts: 'asc', receivedAt: 'asc' }, limit, fields: ['organizationId', 'eventId'] },
      ),
    );
    let processed = 0;
    for (const row of pending) if (await this.process(row)) processed += 1;
    return { processed, failed: pending.length - processed };
  }

  private async apply(row: GatewayWebhookRow): Promise<void> {
    const intent = intentOf(row);
    if (intent === null) return;
    const { organizationId } = row;
    const now = await this.nominalNow(organizationId, intent.paymentId);
    const result = await this.payments.refresh(organizationId, intent.paymentId, intent.id, now);
    switch (result.kind) {
      case 'not_ours':
        return;
      case 'unanswered':
        throw new Error(result.reason);
      case 'recorded':
        // Also when the record had it already: the process may have died between the record and the waking.
        await this.waker.paymentUpdated(organizationId, result.invoiceId);
    }
  }

  /** What the customer's clock shows: a payment of a test clock's customer is dated by that clock. */
  private async nominalNow(organizationId: string, paymentId: string): Promise<Date> {
    const [found] = await this.database.tenant(organizationId, (em) =>
      em.execute<{ frozen_at: string | Date }[]>(
        `select test_clocks.frozen_at from payments
           join customers on customers.id = payments.customer_id
           join test_clocks on test_clocks.id = customers.test_clock_id
          where payments.id = ?`,
        [paymentId],
      ),
    );
    return found === undefined ? new Date() : new Date(found.frozen_at);
  }
}

export interface ReceivedWebhook {
  readonly organizationId: string;
  readonly eventId: string;
  readonly isNew: boolean;
}

function verified(body: Buffer, signature: string | undefined, secret: string): Stripe.Event {
  if (signature === undefined) throw badRequest('the Stripe-Signature header is missing');
  try {
    return Stripe.webhooks.constructEvent(body, signature, secret, TOLERANCE_SECONDS);
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) {
      throw badRequest('the Stripe-Signature header does not fit the body and the secret');
    }
    if (error instanceof SyntaxError) throw badRequest('the body is not JSON');
    throw error;
  }
}

/** The payment intent that a notification is about and that we made; null for everything else. */
function intentOf(row: GatewayWebhookRow): { id: string; paymentId: string } | null {
  if (!row.eventType.startsWith('payment_intent.')) return null;
  const { data } = row.payload as { data?: { object?: { id?: unknown; metadata?: Record<string, unknown> } } };
  const id = data?.object?.id;
  const paymentId = data?.object?.metadata?.['billow_payment_id'];
  if (typeof id !== 'string' || typeof paymentId !== 'string' || !UUID.test(paymentId)) return null;
  return { id, paymentId };
}
