import type { PaymentsService } from '../src/collection/index.js';
import type { CollectionActivities } from '../workflows/collection.contract.js';

export interface CollectionActivitiesDeps {
  readonly payments: PaymentsService;
}

/**
 * Everything a card or a gateway can answer is a returned result; what is thrown is a failure of our own parts, and the
 * retry policy repeats the activity, which is idempotent by (invoice, attempt).
 */
export function createCollectionActivities({ payments }: CollectionActivitiesDeps): CollectionActivities {
  return {
    collectPayment: ({ organizationId, invoiceId, attempt, now }) =>
      payments.attempt(organizationId, invoiceId, { attempt, now: new Date(now) }),
  };
}
