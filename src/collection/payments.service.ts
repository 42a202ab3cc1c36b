import { randomUUID } from 'node:crypto';
import { LockMode } from '@mikro-orm/core';
import { idempotencyKey } from '../domain/collection/idempotency-key.js';
import type { Declined, PaymentOutcome } from '../domain/collection/payment-outcome.js';
import { isUndecided } from '../domain/collection/payment-status.js';
import type { RetryPolicy } from '../domain/collection/retry-schedule.js';
import { invariant } from '../domain/invariant.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import { dueMinor } from '../invoicing/amount-due.js';
import { FeeEntity } from '../invoicing/fee.entity.js';
import { InvoiceEntity, type InvoiceRow } from '../invoicing/invoice.entity.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import type { CollectionResult } from '../../workflows/collection.contract.js';
import { attemptResult, CONFIGURATION_ERROR, hasNewMethod, noGateway, nothingToCollect } from './collection-result.js';
import {
  type ChargeRequest,
  GatewayConfigurationError,
  type PaymentGateway,
  type PaymentGateways,
} from './payment-gateway.js';
import { applyOutcome, toChargeRequest } from './payment.mapping.js';
import { PaymentEntity, type PaymentRow } from './payment.entity.js';

export interface CollectionAttempt {
  /** Counted from 1. */
  readonly attempt: number;
  /** The nominal instant: of the test clock the customer lives on, else of the wall clock. */
  readonly now: Date;
  /**
   * Runs in the transaction that stores the outcome. What comes next is stored here, so that an outcome without its
   * follow-up is never seen: a caller that dies in between would take the decline for done and charge the next ordinal at once.
   */
  readonly store?: StoreFollowUp;
}

export type StoreFollowUp = (em: EntityManager, result: CollectionResult) => Promise<void>;

/** Where an invoice's collection stands in the record, e.g. to go on with it after a workflow was lost. */
export interface CollectionStanding {
  /** 0: never tried. */
  readonly lastAttempt: number;
  /** The ordinal to ask with next. */
  readonly nextAttempt: number;
  /** The last attempt has not ended; a new charge has to wait for it. */
  readonly undecided: boolean;
}

/** What has to be done now, as the record says. */
type Step =
  | { readonly kind: 'answer'; readonly result: CollectionResult }
  | { readonly kind: 'find_method'; readonly gateway: PaymentGateway; readonly providerCustomerId: string }
  | {
      readonly kind: 'charge' | 'settle' | 'abandon';
      readonly gateway: PaymentGateway;
      readonly request: ChargeRequest;
      /** Whether the charge may be sent when the gateway has no trace of it. */
      readonly collectable: boolean;
    };

/**
 * Collects invoices, one attempt at a time.
 *
 * The order of an attempt is what keeps it single: (1) one transaction stores the payment with its idempotency key,
 * (2) the gateway is called, outside of any transaction, (3) a second transaction stores what it said, with the invoice and its
 * fees. Whoever comes in again finds the row of (1) undecided and asks the gateway first; only when the gateway has no trace
 * is the charge sent again, with the same key. So a process may die anywhere between the lines and the card is charged once.
 */
export class PaymentsService {
  constructor(
    private readonly database: Database,
    private readonly gateways: PaymentGateways,
    private readonly policy: RetryPolicy,
  ) {}

  /**
   * Idempotent by (invoice, attempt): a decided attempt answers from the record. An undecided attempt is settled before a
   * new ordinal is taken, whatever ordinal is asked for.
   */
  async attempt(
    organizationId: string,
    invoiceId: string,
    { attempt, now, store = async () => {} }: CollectionAttempt,
  ): Promise<CollectionResult> {
    invariant(Number.isSafeInteger(attempt) && attempt >= 1, 'Attempts are counted from 1');
    let step = await this.open(organizationId, invoiceId, attempt, now, store);
    if (step.kind === 'find_method') {
      const method = await this.findMethod(organizationId, step.gateway, step.providerCustomerId);
      step = await this.open(organizationId, invoiceId, attempt, now, store, method);
    }
    switch (step.kind) {
      case 'answer':
        return step.result;
      case 'find_method':
        throw new Error('A payment method that was found is used');
      case 'charge':
      case 'settle':
      case 'abandon': {
        const outcome = await ask(step);
        return this.record(step.request, outcome, now, store);
      }
    }
  }

  /**
   * Takes in what a gateway reports by itself: looks the payment up (the report is only a hint) and moves it forward.
   * Null when the payment is not ours; `unknown` when the gateway could not be asked.
   */
  async refresh(
    organizationId: string,
    paymentId: string,
    providerPaymentId: string,
    now: Date,
  ): Promise<RefreshResult> {
    const found = await this.database.tenant(organizationId, async (em) => {
      const row = await em.findOne(PaymentEntity, { id: paymentId });
      if (row === null) return null;
      const invoice = await em.findOneOrFail(InvoiceEntity, { id: row.invoiceId });
      return { row, request: toChargeRequest(row, invoice.number) };
    });
    if (found === null) return { kind: 'not_ours' };
    const gateway = this.gateways.get(found.row.provider);
    invariant(gateway !== undefined, `The gateway ${found.row.provider} of a stored payment is known`);
    const request = { ...found.request, providerPaymentId: found.request.providerPaymentId ?? providerPaymentId };
    const outcome = await gateway.lookup(request);
    if (outcome.kind === 'unknown' || outcome.kind === 'not_found') {
      return { kind: 'unanswered', reason: outcome.kind === 'unknown' ? outcome.reason : 'The payment is not there.' };
    }
    await this.record(request, outcome, now);
    return { kind: 'recorded', invoiceId: found.row.invoiceId };
  }

  /**
   * Where the last attempt stands by now: an undecided one is asked after, a decided one answers from the record. Never opens
   * a new attempt; null when there was none. For the news of a gateway and for waiting on an undecided payment.
   */
  async review(
    organizationId: string,
    invoiceId: string,
    { now, store }: Omit<CollectionAttempt, 'attempt'>,
  ): Promise<CollectionResult | null> {
    const { lastAttempt } = await this.standing(organizationId, invoiceId);
    if (lastAttempt === 0) return null;
    return this.attempt(organizationId, invoiceId, { attempt: lastAttempt, now, ...(store && { store }) });
  }

  async standing(organizationId: string, invoiceId: string): Promise<CollectionStanding> {
    return this.database.tenant(organizationId, async (em) => {
      const last = await em.findOne(PaymentEntity, { invoiceId }, { orderBy: { attempt: 'desc' } });
      if (last === null) return { lastAttempt: 0, nextAttempt: 1, undecided: false };
      const undecided = isUndecided(last.status);
      return { lastAttempt: last.attempt, nextAttempt: undecided ? last.attempt : last.attempt + 1, undecided };
    });
  }

  /** Transaction 1. The invoice's row is the lock under which attempts are opened one after the other. */
  private open(
    organizationId: string,
    invoiceId: string,
    attempt: number,
    now: Date,
    store: StoreFollowUp,
    found?: FoundMethod,
  ): Promise<Step> {
    return this.database.tenant(organizationId, async (em): Promise<Step> => {
      const answer = async (result: CollectionResult): Promise<Step> => {
        await store(em, result);
        return { kind: 'answer', result };
      };
      const invoice = await em.findOneOrFail(
        InvoiceEntity,
        { id: invoiceId },
        { lockMode: LockMode.PESSIMISTIC_WRITE, failHandler: () => new Error(`There is no invoice ${invoiceId}`) },
      );
      const customer = await em.findOneOrFail(CustomerEntity, { id: invoice.customerId });
      const attempts = await em.find(PaymentEntity, { invoiceId }, { orderBy: { attempt: 'asc' } });
      const paid = attempts.find((row) => row.status === 'succeeded');
      const last = paid ?? attempts.at(-1);
      const collectable = invoice.status === 'finalized' && dueCents(invoice) > 0;

      if (last !== undefined && isUndecided(last.status)) {
        const abandon = last.status === 'requires_action' && (!collectable || hasNewMethod(last, customer));
        const gateway = this.gateways.get(last.provider);
        invariant(gateway !== undefined, `The gateway ${last.provider} of a stored payment is known`);
        const request = toChargeRequest(last, invoice.number);
        return { kind: abandon ? 'abandon' : 'settle', gateway, request, collectable };
      }
      if (last !== undefined && (paid !== undefined || attempt <= last.attempt)) {
        return answer(attemptResult(last, attempts, customer, this.policy, now));
      }
      if (!collectable) return answer(await this.closeWithoutCharge(em, invoice, attempt, now));

      const gateway = customer.paymentProvider == null ? undefined : this.gateways.get(customer.paymentProvider);
      if (gateway === undefined) {
        const why =
          customer.paymentProvider == null
            ? 'The customer has no payment provider.'
            : `No gateway is connected for the payment provider "${customer.paymentProvider}".`;
        return answer(noGateway(attempt, why));
      }
      const method = customer.providerPaymentMethodId ?? (found?.kind === 'found' ? found.id : null);
      if (method == null) {
        if (found?.kind === 'missing') return answer(noGateway(attempt, found.problem));
        return customer.providerCustomerId == null
          ? answer(noGateway(attempt, NO_METHOD))
          : { kind: 'find_method', gateway, providerCustomerId: customer.providerCustomerId };
      }
      if (method.length > LONGEST_METHOD) {
        return answer(noGateway(attempt, "The id of the customer's payment method is too long."));
      }

      const row = em.create(PaymentEntity, {
        id: randomUUID(),
        organizationId,
        invoiceId,
        customerId: customer.id,
        attempt,
        idempotencyKey: idempotencyKey(invoiceId, attempt, method),
        provider: gateway.name,
        providerCustomerId: customer.providerCustomerId,
        providerPaymentMethodId: method,
        providerPaymentId: null,
        amountCents: dueCents(invoice),
        amountCurrency: invoice.currency,
        status: 'pending',
        declineCode: null,
        networkDeclineCode: null,
        networkAdviceCode: null,
        adviceCode: null,
        failureMessage: null,
        nextAction: null,
        requestedAt: new Date(),
        createdAt: now,
        updatedAt: now,
      });
      invoice.collectionAttempts = attempts.length + 1;
      await this.setPaymentStatus(em, invoice, 'pending', now);
      await em.flush();
      return { kind: 'charge', gateway, request: toChargeRequest(row, invoice.number), collectable };
    });
  }

  private async closeWithoutCharge(
    em: EntityManager,
    invoice: InvoiceRow,
    attempt: number,
    now: Date,
  ): Promise<CollectionResult> {
    if (invoice.status !== 'finalized') return nothingToCollect(attempt, `the invoice is ${invoice.status}`);
    await this.setPaymentStatus(em, invoice, 'succeeded', now);
    return nothingToCollect(attempt, invoice.totalAmountCents > 0 ? 'the invoice is paid' : 'the total is zero');
  }

  /** Transaction 2: the payment, the invoice and its fees move together, or not at all. */
  private record(
    request: ChargeRequest,
    outcome: PaymentOutcome,
    now: Date,
    store?: StoreFollowUp,
  ): Promise<CollectionResult> {
    return this.database.tenant(request.organizationId, async (em) => {
      // The same order of locks as when the attempt was opened.
      const invoice = await em.findOneOrFail(
        InvoiceEntity,
        { id: request.invoiceId },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      const customer = await em.findOneOrFail(CustomerEntity, { id: invoice.customerId });
      const attempts = await em.find(PaymentEntity, { invoiceId: invoice.id }, { orderBy: { attempt: 'asc' } });
      const row = attempts.find((payment) => payment.id === request.paymentId);
      invariant(row !== undefined, 'A payment that was asked about is stored');
      if (applyOutcome(row, outcome, now)) {
        invoice.totalPaidAmountCents = paidCents(attempts);
        await this.setPaymentStatus(em, invoice, paymentStatusOf(invoice, attempts), now);
      }
      const result = attemptResult(row, attempts, customer, this.policy, now);
      await store?.(em, result);
      return result;
    });
  }

  private async setPaymentStatus(
    em: EntityManager,
    invoice: InvoiceRow,
    status: InvoiceRow['paymentStatus'],
    now: Date,
  ): Promise<void> {
    if (invoice.paymentStatus === status) return;
    invoice.paymentStatus = status;
    invoice.updatedAt = now;
    await em.nativeUpdate(
      FeeEntity,
      { invoiceId: invoice.id },
      {
        paymentStatus: status,
        succeededAt: status === 'succeeded' ? now : null,
        failedAt: status === 'failed' ? now : null,
      },
    );
  }

  private async findMethod(
    organizationId: string,
    gateway: PaymentGateway,
    providerCustomerId: string,
  ): Promise<FoundMethod> {
    try {
      const id = await gateway.defaultMethod(organizationId, providerCustomerId);
      return id === null ? { kind: 'missing', problem: NO_METHOD } : { kind: 'found', id };
    } catch (error) {
      if (error instanceof GatewayConfigurationError) return { kind: 'missing', problem: error.message };
      throw error;
    }
  }
}

type FoundMethod =
  { readonly kind: 'found'; readonly id: string } | { readonly kind: 'missing'; readonly problem: string };

export type RefreshResult =
  | { readonly kind: 'recorded'; readonly invoiceId: string }
  | { readonly kind: 'not_ours' }
  | { readonly kind: 'unanswered'; readonly reason: string };

/** Gateways' ids have some thirty characters; more would not fit into the idempotency key. */
const LONGEST_METHOD = 128;
const NO_METHOD = 'The customer has no payment method.';

/** The calls to the gateway, outside of any transaction. */
async function ask(step: Extract<Step, { request: ChargeRequest }>): Promise<PaymentOutcome> {
  try {
    if (step.kind === 'abandon') return await step.gateway.abandon(step.request);
    if (step.kind === 'settle') {
      const found = await step.gateway.lookup(step.request);
      if (found.kind !== 'not_found') return found;
      if (!step.collectable) return refused('canceled', 'The invoice no longer asks for this payment.');
    }
  } catch (error) {
    // We could not even ask, so whether money has moved is as open as before; the row stays undecided.
    if (error instanceof GatewayConfigurationError) return { kind: 'unknown', reason: error.message };
    throw error;
  }
  try {
    return await step.gateway.charge(step.request);
  } catch (error) {
    // The gateway has surely charged nothing. The attempt has ended: once the set-up is repaired, the next one is made.
    if (error instanceof GatewayConfigurationError) return refused(CONFIGURATION_ERROR, error.message);
    throw error;
  }
}

function refused(declineCode: string, message: string): Declined {
  return {
    kind: 'declined',
    paymentId: null,
    declineCode,
    hardness: 'hard',
    message,
    networkDeclineCode: null,
    networkAdviceCode: null,
    adviceCode: null,
  };
}

function dueCents(invoice: InvoiceRow): number {
  return dueMinor(invoice);
}

function paidCents(attempts: readonly PaymentRow[]): number {
  return attempts.filter((row) => row.status === 'succeeded').reduce((sum, row) => sum + row.amountCents, 0);
}

/** The last attempt speaks for the invoice, until the total is paid. An invoice nobody's card was asked for is pending. */
function paymentStatusOf(invoice: InvoiceRow, attempts: readonly PaymentRow[]): InvoiceRow['paymentStatus'] {
  if (paidCents(attempts) + invoice.totalOffsettedCreditNoteAmountCents >= invoice.totalAmountCents) return 'succeeded';
  // Nothing is owed on a voided invoice, so nothing has failed either.
  if (invoice.status !== 'finalized') return invoice.paymentStatus;
  const last = attempts.at(-1);
  return last?.status === 'failed' && last.declineCode !== CONFIGURATION_ERROR ? 'failed' : 'pending';
}
