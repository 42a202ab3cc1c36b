import type { ClockState, RecalculationResult } from './subscription.contract.js';

export type InvoiceDueKind = 'finalize' | 'collect' | 'await_payment';

export interface InvoiceDue {
  kind: InvoiceDueKind;
  at: string;
}

export interface InvoiceState {
  v: 1;
  organizationId: string;
  invoiceId: string;
  clock: ClockState;
  /** Absent until the record has been read, as when a command starts the workflow of an invoice that had nothing to wait for. */
  due?: InvoiceDue | null;
  face?: InvoiceFace;
}

/** What a person sees of the invoice; facts for display, never read by a decision. */
export interface InvoiceFace {
  number: string;
  customerId: string;
  customerName: string;
  currency: string;
  status: string;
  paymentStatus: string;
  total: string;
  outstandingMinor: number;
  lines: number;
  issuingDate: string | null;
  attempts: { attempt: number; at: string; outcome: string }[];
  attention: string | null;
}

export interface InvoiceInput {
  organizationId: string;
  invoiceId: string;
}

export interface InvoiceStepInput extends InvoiceInput {
  due: InvoiceDue;
}

export interface InvoiceStepResult {
  performed: boolean;
  due: InvoiceDue | null;
  face: InvoiceFace;
}

/**
 * A command that the invoice's state forbids answers with Lago's code instead of an exception. `now` is when it happened, by
 * the clock of the customer.
 */
export type InvoiceCommandResult = { ok: true; now: string; step: InvoiceStepResult } | { ok: false; code: string };

export interface InvoiceActivities {
  reviewInvoice(input: InvoiceInput): Promise<InvoiceStepResult>;
  refreshInvoice(input: InvoiceInput): Promise<InvoiceStepResult>;
  finalizeInvoice(input: InvoiceStepInput): Promise<InvoiceStepResult>;
  collectPayment(input: InvoiceStepInput): Promise<InvoiceStepResult>;
  reviewPayment(input: InvoiceInput & { now: string }): Promise<InvoiceStepResult>;
  commandInvoice(input: InvoiceInput & InvoiceCommandRequest & { now: string }): Promise<InvoiceCommandResult>;
  recalculateInvoice(input: InvoiceInput): Promise<RecalculationResult>;
}

export type InvoiceCommand = 'refresh' | 'finalize' | 'void' | 'retry_payment' | 'set_payment_status';

export interface InvoiceCommandRequest {
  command: InvoiceCommand;
  /** Of `void`: what of the invoice is given back by a credit note, in minor units; none without. */
  creditNote?: { creditMinor: number; refundMinor: number };
  /** Of `set_payment_status`: what somebody knows who was paid by other means. */
  paymentStatus?: 'pending' | 'succeeded' | 'failed';
}

export const invoiceWorkflow = 'invoice';
export const invoiceSignals = {
  clockAdvanced: 'clockAdvanced',
  usageCorrected: 'usageCorrected',
  paymentUpdated: 'paymentUpdated',
  dueMomentChanged: 'dueMomentChanged',
} as const;
export const invoiceUpdates = { command: 'command', recalculateInvoice: 'recalculateInvoice' } as const;

export function invoiceWorkflowId(organizationId: string, invoiceId: string): string {
  return `invoice/${organizationId}/${invoiceId}`;
}
