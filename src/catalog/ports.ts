import type { EntityManager } from '../platform/database/database.js';

/** What follows from changes of the catalog elsewhere in the house. The wiring binds them. */

/** Metering keeps aggregates per metric; it hears of every change that moves them. */
export abstract class MetricDefinitions {
  /** Within the transaction of the change: takes the metering lock, counts the version up, rebuilds the metric's usage. */
  abstract changed(em: EntityManager, organizationId: string, metricId: string): Promise<void>;

  /**
   * Within the transaction that writes a price which is grouped by properties of the events: from now on, and for all that
   * is stored, usage of the metric is told apart by them. Keys stay for good, as bills of the past may be computed again;
   * naming known ones costs one query.
   */
  abstract groupedBy(
    em: EntityManager,
    organizationId: string,
    metricId: string,
    keys: readonly string[],
  ): Promise<void>;
}

/** The ingestion computes properties by the expressions of metrics, which it keeps for a moment. */
export abstract class ExpressionsOfEvents {
  /** Behind the commit of the change. */
  abstract forget(organizationId: string): void;
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
