import type { EntityManager } from '../platform/database/database.js';

/** What follows from changes of the catalog elsewhere in the house. The wiring binds them. */

/** Metering keeps aggregates per metric; it hears of every change that moves them. */
export abstract class MetricDefinitions {
  /** Within the transaction of the change: takes the metering lock, counts the version up, rebuilds the metric's usage. */
  abstract changed(em: EntityManager, organizationId: string, metricId: string): Promise<void>;
}

/** What a deleted plan has billed so far is issued at once: nothing more can come to its drafts. */
export abstract class DraftsOfPlan {
  abstract finalizeDraftsOfPlan(organizationId: string, planId: string): Promise<void>;
}

/** Deleting a plan ends the subscriptions that are on it. */
export abstract class SubscriptionsOfPlan {
  abstract terminate(
    organizationId: string,
    externalId: string,
    options: { status: 'active' | 'pending'; onTerminationInvoice: 'generate' },
  ): Promise<string>;
}
