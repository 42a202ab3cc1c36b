import { InvoiceWaker } from '../collection/index.js';
import type { TemporalWaker } from './temporal-waker.js';

/** News from a gateway, passed on to the invoice's workflow. */
export class PaymentNews extends InvoiceWaker {
  constructor(private readonly waker: TemporalWaker) {
    super();
  }

  paymentUpdated(organizationId: string, invoiceId: string): Promise<void> {
    return this.waker.paymentUpdated(organizationId, invoiceId);
  }
}
