/** What follows from changes of a customer elsewhere in the house. The wiring binds them. */

export abstract class SubscriptionsOfCustomer {
  /** Ends every living subscription of the customer, with their last invoices. */
  abstract terminateAll(organizationId: string, customerId: string): Promise<void>;
}

export abstract class DraftsOfCustomer {
  /** The grace period that applies to the customer has changed: drafts take on the new day of finalization. */
  abstract graceChanged(organizationId: string, customerId: string): Promise<void>;

  /** The customer's taxes have changed: drafts are computed again, in the background. */
  abstract refreshDraftsTaxed(organizationId: string, customerId: string): Promise<void>;
}
