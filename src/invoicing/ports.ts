import type { PaymentStatus } from '../domain/invoicing/invoice-states.js';

/** What of a voided invoice a credit note gives back, in minor units. */
export interface VoidCredit {
  readonly creditMinor: number;
  readonly refundMinor: number;
}

/**
 * What staff can ask of an invoice. Each is done when it returns, or throws an error of `platform/http/errors`:
 * `notFound('invoice')` for an id of no invoice (or of another organization), `methodNotAllowed('invalid_status')`,
 * `methodNotAllowed('not_voidable')` and so on where the state forbids it. The caller then reads the invoice anew.
 */
export abstract class InvoiceCommands {
  /** Computes a draft again from the usage known by now. */
  abstract refresh(organizationId: string, invoiceId: string): Promise<void>;

  /** Ends the grace period of a draft at once. */
  abstract finalize(organizationId: string, invoiceId: string): Promise<void>;

  /** With amounts, a credit note gives them back. */
  abstract void(organizationId: string, invoiceId: string, creditNote?: VoidCredit): Promise<void>;

  /** Whoever was paid by other means says so; nobody is charged any more. */
  abstract setPaymentStatus(organizationId: string, invoiceId: string, status: PaymentStatus): Promise<void>;

  abstract retryPayment(organizationId: string, invoiceId: string): Promise<void>;

  /** The price of what they bill has changed: the drafts that have fees of the plan are computed again, in the background. */
  abstract refreshDraftsOfPlan(organizationId: string, planId: string): Promise<void>;

  /** Taxes have changed, of one customer or of any: drafts are computed again, in the background. */
  abstract refreshDraftsTaxed(organizationId: string, customerId: string | null): Promise<void>;

  /** A deleted plan bills nothing any more: the drafts that have its fees are issued at once. */
  abstract finalizeDraftsOfPlan(organizationId: string, planId: string): Promise<void>;

  /** The grace period that applies to a customer has changed: drafts take on the new day of finalization. */
  abstract graceChanged(organizationId: string, customerId: string): Promise<void>;
}
