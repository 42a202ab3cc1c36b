import type { EntityManager } from '../platform/database/database.js';
import type { CustomerRow } from './customer.entity.js';

/** What follows from changes of a customer elsewhere in the house. The wiring binds them. */

export abstract class SubscriptionsOfCustomer {
  /** Ends every living subscription of the customer, with their last invoices. */
  abstract terminateAll(organizationId: string, customerId: string): Promise<void>;

  /**
   * The customer lives in another time zone, within the transaction that stores it: periods end where they do there. The
   * answer is to be called once it is committed.
   */
  abstract moved(
    em: EntityManager,
    customer: CustomerRow,
    zones: { readonly from: string; readonly to: string },
  ): Promise<() => Promise<void>>;
}

export abstract class DraftsOfCustomer {
  /** The grace period that applies to the customer has changed: drafts take on the new day of finalization. */
  abstract graceChanged(organizationId: string, customerId: string): Promise<void>;

  /** The customer's taxes have changed: drafts are computed again, in the background. */
  abstract refreshDraftsTaxed(organizationId: string, customerId: string): Promise<void>;
}
