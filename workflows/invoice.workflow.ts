import {
  allHandlersFinished,
  condition,
  currentUpdateInfo,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { BillingClock } from './clock.js';
import { invoiceDossier } from './invoice.dossier.js';
import {
  type InvoiceActivities,
  type InvoiceCommand,
  type InvoiceCommandRequest,
  type InvoiceCommandResult,
  type InvoiceDue,
  type InvoiceFace,
  invoiceSignals,
  type InvoiceState,
  type InvoiceStepResult,
  invoiceUpdates,
} from './invoice.contract.js';
import { billingState, invoiceSearchAttributes } from './invoice.attributes.js';
import { searchAttributeChanges } from './search-attributes.js';
import type { RecalculationResult } from './subscription.contract.js';

export const clockAdvanced = defineSignal<[{ now: string }]>(invoiceSignals.clockAdvanced);
export const usageCorrected = defineSignal(invoiceSignals.usageCorrected);
export const paymentUpdated = defineSignal(invoiceSignals.paymentUpdated);
export const dueMomentChanged = defineSignal<[{ due: InvoiceDue; face: InvoiceFace }]>(invoiceSignals.dueMomentChanged);
export const command = defineUpdate<InvoiceCommandResult, [InvoiceCommandRequest]>(invoiceUpdates.command);
export const recalculateInvoice = defineUpdate<RecalculationResult>(invoiceUpdates.recalculateInvoice);

const activities = proxyActivities<InvoiceActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

type Inbox =
  | { kind: 'usage_corrected' }
  | { kind: 'payment_updated' }
  | { kind: 'moved'; due: InvoiceDue; face: InvoiceFace }
  | { kind: 'command'; id: string; request: InvoiceCommandRequest }
  | { kind: 'recalculate'; id: string };

/**
 * One invoice, for as long as something is awaited: the end of its grace, a payment, a person.
 *
 *   draft ──grace over or finalize──► finalized ──collect──► paid
 *     ▲ │ refresh, late usage              │  ▲ declined: next slot of the schedule
 *     └─┘                                  └──┘ ──void──► voided
 *
 * Amounts live in Postgres; the workflow holds the timers and asks. It ends when nothing is due, and a later command starts
 * it again under the same id.
 */
export async function invoice(input: InvoiceState): Promise<void> {
  const clock = new BillingClock(input.clock);
  const identity = { organizationId: input.organizationId, invoiceId: input.invoiceId };
  const inbox: Inbox[] = [];
  const answers = new Map<string, InvoiceCommandResult | RecalculationResult | ApplicationFailure>();
  let due: InvoiceDue | null | undefined = input.due;
  let face: InvoiceFace | undefined = input.face;
  let shown = '';

  setHandler(clockAdvanced, ({ now }) => clock.advanceTo(now), {
    description: 'The test clock of this invoice has reached an instant. Sent by the clock, not by people.',
  });
  setHandler(usageCorrected, () => void inbox.push({ kind: 'usage_corrected' }), {
    description: 'Usage arrived late for a period of this invoice; a draft takes it in. One signal per dirty period.',
  });
  setHandler(paymentUpdated, () => void inbox.push({ kind: 'payment_updated' }), {
    description: 'The payment gateway reported a change of a payment of this invoice.',
  });
  setHandler(dueMomentChanged, (moved) => void inbox.push({ kind: 'moved', ...moved }), {
    description: 'The record has a new due moment for this invoice, e.g. after a change of the grace period.',
  });
  setHandler(
    command,
    async (request) => (await ask({ kind: 'command', id: updateId(), request })) as InvoiceCommandResult,
    {
      validator: (request) => assertCommand(request),
      description:
        'Support: {"command": "refresh" | "finalize" | "void" | "retry_payment"}, or' +
        ' {"command": "set_payment_status", "paymentStatus": "succeeded"}. The API sends the same.',
    },
  );
  setHandler(
    recalculateInvoice,
    async () => (await ask({ kind: 'recalculate', id: updateId() })) as RecalculationResult,
    {
      description:
        'Support: recalculate with all usage received so far. A draft is refreshed; an issued invoice is not touched, the ' +
        'answer shows what would differ.',
    },
  );

  if (due === undefined || face === undefined) {
    apply(
      await activities.reviewInvoice.executeWithOptions({ summary: 'Read the invoice from the record' }, [identity]),
    );
  }
  show();

  for (;;) {
    for (const item of inbox.splice(0)) await handle(item);
    if (due != null && clock.reached(due.at)) {
      await perform(due);
    } else if (due != null) {
      await clock.until(due.at, () => inbox.length > 0, waitSummary(due));
    } else if (inbox.length === 0 && allHandlersFinished()) {
      return;
    } else {
      await condition(() => inbox.length > 0 || allHandlersFinished());
    }
  }

  async function ask(item: Extract<Inbox, { id: string }>): Promise<InvoiceCommandResult | RecalculationResult> {
    inbox.push(item);
    await condition(() => answers.has(item.id));
    const answer = answers.get(item.id) as InvoiceCommandResult | RecalculationResult | ApplicationFailure;
    answers.delete(item.id);
    if (answer instanceof ApplicationFailure) throw answer;
    return answer;
  }

  async function perform(moment: InvoiceDue): Promise<void> {
    const step = { ...identity, due: moment };
    const what = `${face?.number ?? ''} ${face?.total ?? ''}`;
    if (moment.kind === 'finalize') {
      apply(
        await activities.finalizeInvoice.executeWithOptions({ summary: `Grace is over: finalize ${what}` }, [step]),
      );
    } else if (moment.kind === 'collect') {
      const attempt = (face?.attempts.length ?? 0) + 1;
      apply(
        await activities.collectPayment.executeWithOptions({ summary: `Charge ${what}, attempt ${attempt}` }, [step]),
      );
    } else {
      apply(
        await activities.collectPayment.executeWithOptions({ summary: `Ask after the payment of ${what}` }, [step]),
      );
    }
    show();
  }

  async function handle(item: Inbox): Promise<void> {
    switch (item.kind) {
      case 'usage_corrected':
        apply(
          await activities.refreshInvoice.executeWithOptions({ summary: 'Late usage: refresh the draft' }, [identity]),
        );
        break;
      case 'moved':
        due = item.due;
        face = item.face;
        break;
      case 'payment_updated':
        apply(
          await activities.reviewPayment.executeWithOptions({ summary: 'The gateway has news of the payment' }, [
            { ...identity, now: clock.now() },
          ]),
        );
        break;
      case 'command':
        await answer(item.id, async () => {
          const result = await activities.commandInvoice.executeWithOptions(
            { summary: `Command: ${item.request.command}`, retry: { maximumAttempts: 5 } },
            [{ ...identity, ...item.request, now: clock.now() }],
          );
          if (result.ok) {
            // What the command made due at once has to be due here too.
            clock.advanceTo(result.now);
            apply(result.step);
          }
          return result;
        });
        break;
      case 'recalculate':
        await answer(item.id, async () => {
          const result = await activities.recalculateInvoice.executeWithOptions(
            { summary: 'Recalculate for support', retry: { maximumAttempts: 5 } },
            [identity],
          );
          apply(await activities.reviewInvoice.executeWithOptions({ summary: 'Show the result' }, [identity]));
          return result;
        });
        break;
    }
    show();
  }

  async function answer(id: string, work: () => Promise<InvoiceCommandResult | RecalculationResult>): Promise<void> {
    try {
      answers.set(id, await work());
    } catch (cause) {
      const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
      const message = inner instanceof Error ? inner.message : String(inner);
      answers.set(id, ApplicationFailure.create({ message, nonRetryable: true }));
    }
  }

  function apply(result: InvoiceStepResult): void {
    due = result.due;
    face = result.face;
  }

  function show(): void {
    if (face === undefined) return;
    setCurrentDetails(invoiceDossier(face, due ?? null, clock.now()));
    const key = JSON.stringify([billingState(face, due ?? null), face.outstandingMinor, face.attempts.length, due?.at]);
    // The starter has set the attributes of the first face; only a change is worth an action.
    if (shown !== '' && key !== shown)
      upsertSearchAttributes(searchAttributeChanges(invoiceSearchAttributes(input, face, due ?? null)));
    shown = key;
  }
}

function waitSummary(due: InvoiceDue): string {
  const at = `${due.at.slice(0, 19).replace('T', ' ')} UTC`;
  switch (due.kind) {
    case 'finalize':
      return `Grace for late usage until ${at}`;
    case 'collect':
      return `Next charge ${at}`;
    case 'await_payment':
      return `Waiting for the payment until ${at}`;
  }
}

function assertCommand(request: InvoiceCommandRequest | undefined): void {
  const known: InvoiceCommand[] = ['refresh', 'finalize', 'void', 'retry_payment', 'set_payment_status'];
  if (request === undefined || !known.includes(request.command)) {
    throw ApplicationFailure.create({ message: `command must be one of ${known.join(', ')}`, nonRetryable: true });
  }
  if (request.command === 'set_payment_status' && request.paymentStatus === undefined) {
    throw ApplicationFailure.create({ message: 'set_payment_status needs a paymentStatus', nonRetryable: true });
  }
}

function updateId(): string {
  return currentUpdateInfo()?.id ?? '';
}
