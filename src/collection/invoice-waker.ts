/** Tells whoever follows an invoice that one of its payments has moved. */
export abstract class InvoiceWaker {
  /** Done when the news cannot get lost any more. Telling it twice is harmless. */
  abstract paymentUpdated(organizationId: string, invoiceId: string): Promise<void>;
}
