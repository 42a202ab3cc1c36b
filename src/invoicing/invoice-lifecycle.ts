import { LockMode } from '@mikro-orm/core';
import { loadSubscriptionPlan } from '../catalog/rated-plan.js';
import { canFinalize, canRetryPayment, canUpdate, canVoid } from '../domain/invoicing/invoice-states.js';
import type { CutoffBarrier, UsageReader } from '../metering/index.js';
import { lockPartitionShared } from '../metering/locks.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { type BillingContext, loadBillingContext } from './billing-context.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { storedCutoff } from './cutoff.js';
import { computeFees } from './fee-computation.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { applyTotals, inSubscriptionOrder, issue, numberLines } from './invoice-composition.js';
import { nextInvoiceDue, storeInvoiceDue } from './invoice-due.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';
import { LateUsageEntity } from './late-usage.entity.js';
import { creditInvoice } from './invoice-credit.js';
import type { VoidCredit } from './ports.js';
import { renewCredits, withdrawCredits } from './unused-time.js';

/** What a recalculation found; amounts in minor units. */
export interface Recalculation {
  readonly invoice: InvoiceRow;
  readonly action: 'refreshed' | 'compared';
  readonly beforeMinor: number;
  readonly afterMinor: number;
  readonly lines: number;
}

export type CommandOutcome = { readonly ok: true } | { readonly ok: false; readonly code: string };

/**
 * An invoice between its composition and its payment. Everything that changes a draft's amounts goes through `refresh`:
 * the fees of its periods are computed again at a new cutoff behind the barrier, so every event acknowledged before is in.
 */
export class InvoiceLifecycle {
  constructor(
    private readonly database: Database,
    private readonly reader: UsageReader,
    private readonly barrier: CutoffBarrier,
  ) {}

  /** Computes a draft again; an invoice that is no draft (any more) stays as it is. */
  refresh(organizationId: string, invoiceId: string): Promise<void> {
    return this.withUsage(organizationId, invoiceId, async (em, invoice, context) => {
      if (invoice.status === 'draft') await refreshFees(em, this.reader, context, invoice);
    });
  }

  /**
   * Ends the grace of a draft: computed a last time, numbered, dated. `at` is the nominal instant: the end of the grace
   * period, or the moment of the command.
   */
  finalize(organizationId: string, invoiceId: string, at: Date): Promise<CommandOutcome> {
    return this.withUsage(organizationId, invoiceId, async (em, invoice, context) => {
      const decision = canFinalize(invoice);
      if (decision.kind === 'refused') return { ok: false, code: decision.code };
      await refreshFees(em, this.reader, context, invoice);
      await issue(em, context, invoice, at);
      await storeInvoiceDue(em, invoice, context.customer, nextInvoiceDue(invoice, context.customer), { known: true });
      return { ok: true };
    });
  }

  /**
   * The number and the amounts of a voided invoice stay; nothing is awaited any more. Credit notes that paid for it are not
   * given back (lago-api.md 2.9); what it cost is, when a credit note is asked for.
   */
  void(organizationId: string, invoiceId: string, at: Date, credit?: VoidCredit): Promise<CommandOutcome> {
    return this.database.tenant(organizationId, async (em) => {
      const invoice = await lockInvoice(em, invoiceId);
      const decision = canVoid(invoice);
      if (decision.kind === 'refused') return { ok: false, code: decision.code };
      const context = await loadBillingContext(em, organizationId, invoice.customerId);
      if (credit !== undefined) await creditInvoice(em, context, invoice, credit, at);
      invoice.status = 'voided';
      invoice.voidedAt = at;
      invoice.updatedAt = at;
      await storeInvoiceDue(em, invoice, context.customer, null, { known: true });
      return { ok: true };
    });
  }

  /** What the gateway does not know: paid by other means, or not after all. */
  setPaymentStatus(
    organizationId: string,
    invoiceId: string,
    status: InvoiceRow['paymentStatus'],
    at: Date,
  ): Promise<CommandOutcome> {
    return this.database.tenant(organizationId, async (em) => {
      const invoice = await lockInvoice(em, invoiceId);
      const decision = canUpdate(invoice);
      if (decision.kind === 'refused') return { ok: false, code: decision.code };
      if (invoice.status !== 'finalized') return { ok: false, code: 'invalid_status' };
      const { customer } = await loadBillingContext(em, organizationId, invoice.customerId);
      const paidMinor = await paidByGateway(em, invoiceId);
      const owedMinor = invoice.totalAmountCents - invoice.totalOffsettedCreditNoteAmountCents;
      invoice.paymentStatus = status;
      invoice.totalPaidAmountCents = status === 'succeeded' ? Math.max(owedMinor, paidMinor) : paidMinor;
      invoice.updatedAt = at;
      await em.nativeUpdate(
        FeeEntity,
        { invoiceId },
        {
          paymentStatus: status,
          succeededAt: status === 'succeeded' ? at : null,
          failedAt: status === 'failed' ? at : null,
        },
      );
      // Never charged for that: a person who says it is not paid asks for a retry if there is a gateway.
      await storeInvoiceDue(em, invoice, customer, null, { known: true });
      return { ok: true };
    });
  }

  /** Puts the next charge at once; with which method is decided when it happens. */
  retryPayment(organizationId: string, invoiceId: string, at: Date): Promise<CommandOutcome> {
    return this.database.tenant(organizationId, async (em) => {
      const invoice = await lockInvoice(em, invoiceId);
      const context = await loadBillingContext(em, organizationId, invoice.customerId);
      const decision = canRetryPayment(invoice);
      if (decision.kind === 'refused') return { ok: false, code: decision.code };
      if (context.customer.paymentProvider == null)
        return { ok: false, code: 'invoices_not_ready_for_payment_processing' };
      invoice.paymentStatus = 'pending';
      invoice.updatedAt = at;
      await storeInvoiceDue(em, invoice, context.customer, { kind: 'collect', at }, { known: true });
      return { ok: true };
    });
  }

  /**
   * Answers "what would it be with all usage known now?". A draft is refreshed; an issued document never changes
   * (invariant 6), so for it the new amounts are computed, shown and rolled back.
   */
  recalculate(organizationId: string, invoiceId: string): Promise<Recalculation> {
    return this.withUsage(organizationId, invoiceId, async (em, invoice, context) => {
      // Before credits: how it was paid for is not what it costs.
      const beforeMinor = invoice.subTotalIncludingTaxesAmountCents;
      const draft = invoice.status === 'draft';
      const result = draft
        ? await refreshFees(em, this.reader, context, invoice)
        : await compareFees(em, this.reader, context, invoice);
      const action = draft ? 'refreshed' : 'compared';
      return { invoice, action, beforeMinor, afterMinor: result.totalMinor, lines: result.lines };
    });
  }

  // Locks in the one order: partitions, then the invoice, then (when numbers are given) the customer.
  private async withUsage<T>(
    organizationId: string,
    invoiceId: string,
    work: (em: EntityManager, invoice: InvoiceRow, context: BillingContext) => Promise<T>,
  ): Promise<T> {
    const subscriptions = await this.database.tenant(organizationId, async (em) => {
      const periods = await em.find(BillingPeriodEntity, { invoiceId, chargesFromAt: { $ne: null } });
      return [...new Set(periods.map((period) => period.externalSubscriptionId))];
    });
    const cutoffs = await Promise.all(subscriptions.map((id) => this.barrier.cutoffFor(organizationId, id)));
    const partitions = [...new Set(cutoffs.map((cutoff) => cutoff.partition))].sort((a, b) => a - b);
    return this.database.tenant(organizationId, async (em) => {
      for (const partition of partitions) await lockPartitionShared(em, partition);
      const invoice = await lockInvoice(em, invoiceId);
      return work(em, invoice, await loadBillingContext(em, organizationId, invoice.customerId));
    });
  }
}

interface Refreshed {
  readonly totalMinor: number;
  readonly lines: number;
}

async function refreshFees(
  em: EntityManager,
  reader: UsageReader,
  context: BillingContext,
  invoice: InvoiceRow,
): Promise<Refreshed> {
  const withdrawn = await withdrawCredits(em, invoice);
  await em.nativeDelete(FeeEntity, { invoiceId: invoice.id });
  const fees: FeeRow[] = [];
  for (const period of await periodsOf(em, invoice)) {
    period.cutoffSequence = await storedCutoff(em, period.partition);
    const plan = await loadSubscriptionPlan(em, { id: period.subscriptionId, planId: period.planId });
    fees.push(...(await computeFees({ em, reader, context, plan, period, createdAt: invoice.billingAt })));
    await em.nativeDelete(LateUsageEntity, { billingPeriodId: period.id });
  }
  numberLines(fees);
  applyTotals(context, invoice, fees);
  invoice.versionNumber += 1;
  await em.flush();
  await renewCredits(em, context, withdrawn);
  return { totalMinor: invoice.totalAmountCents, lines: fees.length };
}

// Computed in a fork whose entities are never flushed: nothing of the comparison can reach the record.
async function compareFees(
  em: EntityManager,
  reader: UsageReader,
  context: BillingContext,
  invoice: InvoiceRow,
): Promise<Refreshed> {
  const scratch = em.fork({ keepTransactionContext: true, flushMode: 'commit' }) as EntityManager;
  const copy = await scratch.findOneOrFail(InvoiceEntity, { id: invoice.id });
  const periods = await periodsOf(scratch, copy);
  // What was paid in advance was billed event by event, and no usage changes it.
  if (periods.every((period) => period.invoicingReason.startsWith('in_advance_charge'))) {
    return { totalMinor: invoice.totalAmountCents, lines: await em.count(FeeEntity, { invoiceId: invoice.id }) };
  }
  const fees: FeeRow[] = [];
  for (const period of periods) {
    period.cutoffSequence = await storedCutoff(scratch, period.partition);
    const plan = await loadSubscriptionPlan(scratch, { id: period.subscriptionId, planId: period.planId });
    fees.push(...(await computeFees({ em: scratch, reader, context, plan, period, createdAt: copy.billingAt })));
  }
  applyTotals(context, copy, fees);
  scratch.clear();
  return { totalMinor: copy.totalAmountCents, lines: fees.length };
}

async function periodsOf(em: EntityManager, invoice: InvoiceRow): Promise<BillingPeriodRow[]> {
  return inSubscriptionOrder(em, await em.find(BillingPeriodEntity, { invoiceId: invoice.id }));
}

async function paidByGateway(em: EntityManager, invoiceId: string): Promise<number> {
  const [row] = await em.execute<{ paid: string }[]>(
    `select coalesce(sum(amount_cents), 0) as paid from payments where invoice_id = ? and status = 'succeeded'`,
    [invoiceId],
  );
  return Number(row?.paid ?? 0);
}

async function lockInvoice(em: EntityManager, invoiceId: string): Promise<InvoiceRow> {
  return em.findOneOrFail(InvoiceEntity, { id: invoiceId }, { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true });
}
