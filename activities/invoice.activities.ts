import type { CollectionResult } from '../workflows/collection.contract.js';
import type {
  InvoiceActivities,
  InvoiceCommandResult,
  InvoiceDueKind,
  InvoiceInput,
  InvoiceStepInput,
  InvoiceStepResult,
} from '../workflows/invoice.contract.js';
import type { PaymentsService } from '../src/collection/index.js';
import { CustomerEntity } from '../src/customers/customer.entity.js';
import { DueMomentEntity } from '../src/due-moments/due-moment.entity.js';
import { lockDueMoment } from '../src/due-moments/due-moments.js';
import { storeInvoiceDue } from '../src/invoicing/invoice-due.js';
import type { CommandOutcome, InvoiceLifecycle } from '../src/invoicing/invoice-lifecycle.js';
import { InvoiceEntity } from '../src/invoicing/invoice.entity.js';
import { invoiceFace } from '../src/orchestration/faces.js';
import type { Database, EntityManager } from '../src/platform/database/database.js';
import { presentOn } from '../src/test-clocks/clock-time.js';
import { heartbeating } from './heartbeat.js';
import { recalculate } from './recalculation.js';

export interface InvoiceActivityDeps {
  readonly database: Database;
  readonly lifecycle: InvoiceLifecycle;
  readonly payments: PaymentsService;
}

/**
 * The steps of an invoice's life. What is due is in the record: a step that the record does not know (any more) is not
 * performed, it only answers where the invoice stands.
 */
export function createInvoiceActivities({ database, lifecycle, payments }: InvoiceActivityDeps): InvoiceActivities {
  return {
    reviewInvoice: (input) => standing(input, true),

    refreshInvoice: (input) =>
      heartbeating(async () => {
        await lifecycle.refresh(input.organizationId, input.invoiceId);
        return standing(input, true);
      }),

    finalizeInvoice: (input) =>
      heartbeating(async () => {
        if (!(await isDue(input))) return standing(input, false);
        await lifecycle.finalize(input.organizationId, input.invoiceId, new Date(input.due.at));
        return standing(input, true);
      }),

    collectPayment: (input) =>
      heartbeating(async () => {
        if (!(await isDue(input))) return standing(input, false);
        const { organizationId, invoiceId, due } = input;
        const now = new Date(due.at);
        const store = (em: EntityManager, result: CollectionResult) => scheduleAfter(em, invoiceId, result, now);
        // An awaited payment is asked after and never charged again; only a slot of the schedule opens a new attempt.
        if (due.kind === 'await_payment') {
          await payments.review(organizationId, invoiceId, { now, store });
        } else {
          const { nextAttempt } = await payments.standing(organizationId, invoiceId);
          await payments.attempt(organizationId, invoiceId, { attempt: nextAttempt, now, store });
        }
        return standing(input, true);
      }),

    reviewPayment: ({ now, ...input }) =>
      heartbeating(async () => {
        const { organizationId, invoiceId } = input;
        const at = new Date(now);
        const store = (em: EntityManager, result: CollectionResult) => scheduleAfter(em, invoiceId, result, at);
        await payments.review(organizationId, invoiceId, { now: at, store });
        return standing(input, true);
      }),

    commandInvoice: ({ command, creditNote, paymentStatus, now, ...input }) =>
      heartbeating(async (): Promise<InvoiceCommandResult> => {
        const { organizationId, invoiceId } = input;
        const at = await presentFor(input, new Date(now));
        let outcome: CommandOutcome = { ok: true };
        switch (command) {
          case 'refresh':
            await lifecycle.refresh(organizationId, invoiceId);
            break;
          case 'finalize':
            outcome = await lifecycle.finalize(organizationId, invoiceId, at);
            break;
          case 'void':
            outcome = await lifecycle.void(organizationId, invoiceId, at, creditNote);
            break;
          case 'retry_payment':
            outcome = await lifecycle.retryPayment(organizationId, invoiceId, at);
            break;
          case 'set_payment_status':
            outcome = await lifecycle.setPaymentStatus(organizationId, invoiceId, paymentStatus ?? 'pending', at);
            break;
        }
        if (!outcome.ok) return { ok: false, code: outcome.code };
        return { ok: true, now: at.toISOString(), step: await standing(input, true) };
      }),

    recalculateInvoice: ({ organizationId, invoiceId }) =>
      heartbeating(() => recalculate(lifecycle, organizationId, invoiceId)),
  };

  function standing({ organizationId, invoiceId }: InvoiceInput, performed: boolean): Promise<InvoiceStepResult> {
    return database.tenant(organizationId, async (em) => {
      const due = await em.findOne(DueMomentEntity, { ownerKind: 'invoice', ownerId: invoiceId });
      return {
        performed,
        due: due === null ? null : { kind: due.kind as InvoiceDueKind, at: due.dueAt.toISOString() },
        face: await invoiceFace(em, invoiceId),
      };
    });
  }

  // A test clock tells its members of what is due and of nothing else: between two moments only the record knows its time.
  function presentFor({ organizationId, invoiceId }: InvoiceInput, wall: Date): Promise<Date> {
    return database.tenant(organizationId, async (em) => {
      const invoice = await em.findOneOrFail(InvoiceEntity, { id: invoiceId });
      const { testClockId } = await em.findOneOrFail(CustomerEntity, { id: invoice.customerId });
      return testClockId == null ? wall : presentOn(em, testClockId);
    });
  }

  function isDue({ organizationId, invoiceId, due }: InvoiceStepInput): Promise<boolean> {
    return database.tenant(organizationId, async (em) => {
      const stored = await lockDueMoment(em, 'invoice', invoiceId);
      return stored !== null && stored.kind === due.kind && stored.dueAt.getTime() === Date.parse(due.at);
    });
  }
}

/** How long a payment that the gateway has not decided is left alone when the schedule names no moment. */
const ASK_AGAIN_MS = 24 * 3600 * 1000;

// In the transaction that stores the outcome: no process can die between a decline and the moment of the next try.
async function scheduleAfter(
  em: EntityManager,
  invoiceId: string,
  result: CollectionResult,
  askedAt: Date,
): Promise<void> {
  const invoice = await em.findOneOrFail(InvoiceEntity, { id: invoiceId });
  const customer = await em.findOneOrFail(CustomerEntity, { id: invoice.customerId });
  await storeInvoiceDue(em, invoice, customer, dueAfter(result, askedAt), { known: true });
}

function dueAfter(result: CollectionResult, askedAt: Date): { kind: InvoiceDueKind; at: Date } | null {
  switch (result.kind) {
    case 'paid':
    case 'nothing_to_collect':
    case 'no_gateway':
      return null;
    case 'declined':
      return result.retryAt === null ? null : { kind: 'collect', at: new Date(result.retryAt) };
    case 'action_required':
    case 'processing':
    case 'unknown':
      return {
        kind: 'await_payment',
        at: new Date(result.retryAt ?? askedAt.getTime() + ASK_AGAIN_MS),
      };
  }
}
