import type { EntityManager } from '../platform/database/database.js';

/** What follows from a change of an organization's terms; invoicing does it. */
export abstract class GraceOfOrganization {
  /** The grace period that applies to a customer has changed: drafts take on the new day of finalization. */
  abstract graceChanged(organizationId: string, customerId: string): Promise<void>;
}

export abstract class DraftsOfOrganization {
  /** Taxes have changed, of one customer or (null) of any: drafts are computed again, in the background. */
  abstract refreshDraftsTaxed(organizationId: string, customerId: string | null): Promise<void>;
}

export abstract class LivesOfOrganization {
  /**
   * The organization's time zone has changed, within the transaction that stores it: periods of customers without a zone of
   * their own end where they do there. The answer is to be called once it is committed.
   */
  abstract organizationMoved(
    em: EntityManager,
    organizationId: string,
    zones: { readonly from: string; readonly to: string },
  ): Promise<() => Promise<void>>;
}
