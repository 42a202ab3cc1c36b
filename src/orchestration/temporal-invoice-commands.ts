import { type Client, WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  type InvoiceCommandRequest,
  type InvoiceCommandResult,
  type InvoiceState,
  invoiceUpdates,
  invoiceWorkflow,
  invoiceWorkflowId,
} from '../../workflows/invoice.contract.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import { graceEndsAt, issuingDate, paymentDueDate } from '../domain/invoicing/dates.js';
import {
  canFinalize,
  canRetryPayment,
  canUpdate,
  canVoid,
  type Decision,
  type PaymentStatus,
} from '../domain/invoicing/invoice-states.js';
import { instant } from '../domain/calendar/instant.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { Waker } from '../due-moments/due-moments.js';
import { BillingPeriodEntity } from '../invoicing/billing-period.entity.js';
import { loadBillingContext } from '../invoicing/billing-context.js';
import { storeInvoiceDue } from '../invoicing/invoice-due.js';
import { InvoiceEntity, type InvoiceRow } from '../invoicing/invoice.entity.js';
import { InvoiceCommands, type VoidCredit } from '../invoicing/ports.js';
import type { Config } from '../platform/config.js';
import type { Database } from '../platform/database/database.js';
import { type ErrorCode, HttpProblem, methodNotAllowed, notFound, unavailable } from '../platform/http/errors.js';
import { presentOn } from '../test-clocks/clock-time.js';

/** Longest wait for the worker's answer before the caller is told to come again; the command itself is not lost. */
const ANSWER_WITHIN_MS = 20_000;

/** Tells the workflows of drafts that what they bill has changed. */
export interface DraftRefresher {
  refreshDrafts(drafts: readonly Pick<InvoiceRow, 'id' | 'organizationId'>[]): Promise<void>;
}

/**
 * Commands on invoices go through the invoice's workflow, which is their single writer: an update that starts the workflow
 * when none runs, so that a person's command and a timer that fires at that moment come one after the other.
 */
export class TemporalInvoiceCommands extends InvoiceCommands {
  constructor(
    private readonly client: Client,
    private readonly database: Database,
    private readonly waker: Waker & DraftRefresher,
    private readonly config: Pick<Config, 'temporalTaskQueue'>,
  ) {
    super();
  }

  refresh(organizationId: string, invoiceId: string): Promise<void> {
    // Lago answers an issued invoice as it is: nothing to refresh is no error.
    return this.command(organizationId, invoiceId, { command: 'refresh' }, (invoice) =>
      invoice.status === 'draft' ? 'send' : 'done',
    );
  }

  finalize(organizationId: string, invoiceId: string): Promise<void> {
    return this.command(organizationId, invoiceId, { command: 'finalize' }, (invoice) => sendIf(canFinalize(invoice)));
  }

  void(organizationId: string, invoiceId: string, creditNote?: VoidCredit): Promise<void> {
    const request = { command: 'void' as const, ...(creditNote && { creditNote }) };
    return this.command(organizationId, invoiceId, request, (invoice) => sendIf(canVoid(invoice)));
  }

  setPaymentStatus(organizationId: string, invoiceId: string, paymentStatus: PaymentStatus): Promise<void> {
    const request = { command: 'set_payment_status' as const, paymentStatus };
    return this.command(organizationId, invoiceId, request, (invoice) => {
      sendIf(canUpdate(invoice));
      if (invoice.status !== 'finalized') throw methodNotAllowed('invalid_status');
      return invoice.paymentStatus === paymentStatus ? 'done' : 'send';
    });
  }

  retryPayment(organizationId: string, invoiceId: string): Promise<void> {
    return this.command(organizationId, invoiceId, { command: 'retry_payment' }, (invoice) =>
      sendIf(canRetryPayment(invoice)),
    );
  }

  async finalizeDraftsOfPlan(organizationId: string, planId: string): Promise<void> {
    const moments = await this.database.tenant(organizationId, async (em) => {
      const periods = await em.find(BillingPeriodEntity, { planId, invoiceId: { $ne: null } });
      const invoiceIds = [...new Set(periods.flatMap(({ invoiceId }) => (invoiceId == null ? [] : [invoiceId])))];
      const drafts = await em.find(InvoiceEntity, { id: { $in: invoiceIds }, status: 'draft' });
      const stored: DueMomentRow[] = [];
      for (const draft of drafts) {
        const { customer } = await loadBillingContext(em, organizationId, draft.customerId);
        draft.finalizeAt = await presentOn(em, customer.testClockId);
        const due = { kind: 'finalize' as const, at: draft.finalizeAt };
        const moment = await storeInvoiceDue(em, draft, customer, due, { known: false });
        if (moment !== null) stored.push(moment);
      }
      await em.flush();
      return stored;
    });
    await this.waker.wake(moments);
  }

  async refreshDraftsOfPlan(organizationId: string, planId: string): Promise<void> {
    const drafts = await this.database.tenant(organizationId, async (em) => {
      const periods = await em.find(BillingPeriodEntity, { planId, invoiceId: { $ne: null } });
      const invoiceIds = [...new Set(periods.flatMap(({ invoiceId }) => invoiceId ?? []))];
      return em.find(InvoiceEntity, { id: { $in: invoiceIds }, status: 'draft' });
    });
    await this.refreshDrafts(drafts);
  }

  async refreshDraftsTaxed(organizationId: string, customerId: string | null): Promise<void> {
    const whose = customerId === null ? {} : { customerId };
    const drafts = await this.database.tenant(organizationId, (em) =>
      em.find(InvoiceEntity, { organizationId, ...whose, status: 'draft' }),
    );
    await this.refreshDrafts(drafts);
  }

  private async refreshDrafts(drafts: readonly InvoiceRow[]): Promise<void> {
    try {
      await this.waker.refreshDrafts(drafts);
    } catch {
      // A draft that hears of nothing is computed again when it is issued, at the latest.
    }
  }

  async graceChanged(organizationId: string, customerId: string): Promise<void> {
    const moments = await this.database.tenant(organizationId, async (em) => {
      const context = await loadBillingContext(em, organizationId, customerId);
      const drafts = await em.find(InvoiceEntity, { customerId, status: 'draft' });
      const stored = [];
      for (const draft of drafts) {
        const billingAt = instant(draft.billingAt.getTime());
        draft.finalizeAt = new Date(
          context.graceDays === 0 ? billingAt : graceEndsAt(billingAt, context.zone, context.graceDays),
        );
        draft.issuingDate = issuingDate({ billingAt, zone: context.zone, graceDays: context.graceDays });
        draft.paymentDueDate = paymentDueDate(draft.issuingDate, draft.netPaymentTerm);
        const due = { kind: 'finalize' as const, at: draft.finalizeAt };
        stored.push(await storeInvoiceDue(em, draft, context.customer, due, { known: false }));
      }
      await em.flush();
      return stored.flatMap((moment) => (moment === null ? [] : [moment]));
    });
    await this.waker.wake(moments);
  }

  private async command(
    organizationId: string,
    invoiceId: string,
    request: InvoiceCommandRequest,
    check: (invoice: InvoiceRow) => 'send' | 'done',
  ): Promise<void> {
    const state = await this.database.tenant(organizationId, async (em): Promise<InvoiceState | null> => {
      const invoice = await em.findOne(InvoiceEntity, { id: invoiceId });
      if (invoice === null) throw notFound('invoice');
      if (check(invoice) === 'done') return null;
      const customer = await em.findOneOrFail(CustomerEntity, { id: invoice.customerId });
      const { testClockId } = customer;
      const nowMs = (await presentOn(em, testClockId)).getTime();
      const clock =
        testClockId == null
          ? ({ kind: 'wall', spreadMs: 0 } as const)
          : ({ kind: 'test', id: testClockId, nowMs } as const);
      return { v: 1, organizationId, invoiceId, clock };
    });
    if (state === null) return;
    const result = await this.send(state, request);
    if (!result.ok)
      throw result.code === 'invoice_not_found' ? notFound('invoice') : methodNotAllowed(result.code as ErrorCode);
  }

  private async send(state: InvoiceState, request: InvoiceCommandRequest): Promise<InvoiceCommandResult> {
    const startWorkflowOperation = new WithStartWorkflowOperation(invoiceWorkflow, {
      workflowId: invoiceWorkflowId(state.organizationId, state.invoiceId),
      taskQueue: this.config.temporalTaskQueue,
      args: [state],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    try {
      return await this.client.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
        this.client.workflow.executeUpdateWithStart(invoiceUpdates.command, {
          args: [request],
          startWorkflowOperation,
        }),
      );
    } catch (error) {
      if (error instanceof HttpProblem || error instanceof WorkflowUpdateFailedError) throw error;
      throw unavailable('the workflow engine does not answer; ask again', 5);
    }
  }
}

function sendIf(decision: Decision): 'send' {
  if (decision.kind === 'allowed') return 'send';
  throw decision.status === 404 ? notFound('invoice') : methodNotAllowed(decision.code as ErrorCode);
}
