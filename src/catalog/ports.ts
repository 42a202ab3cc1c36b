import type { EntityManager } from '../platform/database/database.js';

/** What follows from changes of the catalog elsewhere in the house. The wiring binds them. */

/** Metering keeps aggregates per metric; it hears of every change that moves them. */
export abstract class MetricDefinitions {
  /** Within the transaction of the change: takes the metering lock, counts the version up, rebuilds the metric's usage. */
  abstract changed(em: EntityManager, organizationId: string, metricId: string): Promise<void>;

  /**
   * Within the transaction that writes a price which is grouped or presented by properties of the events: from now on, and
   * for all that is stored, usage of the metric is told apart by them. Keys stay for good, as bills of the past may be
   * computed again; naming known ones costs one query.
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

/** Documents that are not issued yet follow what becomes of their plan. */
export abstract class DraftsOfPlan {
  /** Drafts are computed again with the plan as it is; done in the background. */
  abstract refreshDraftsOfPlan(organizationId: string, planId: string): Promise<void>;

  /** What a deleted plan has billed so far is issued at once: nothing more can come to its drafts. */
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

/** Another number of units of a fixed charge. */
export interface UnitsChange {
  readonly fixedChargeId: string;
  /** Decimal text; null when the fixed charge was not there before. */
  readonly from: string | null;
  readonly to: string;
  readonly atOnce: boolean;
  readonly payInAdvance: boolean;
}

/** Units of fixed charges are dated: each subscription has them from an instant of its own clock and calendar on. */
export abstract class FixedChargeUnits {
  /**
   * Within the transaction of the change: dates the new units of each of these living subscriptions, now or from its next
   * period on. The answer is to be called once the transaction is committed: what was paid in advance is then billed.
   */
  abstract changed(
    em: EntityManager,
    organizationId: string,
    changes: ReadonlyMap<string, readonly UnitsChange[]>,
  ): Promise<() => Promise<void>>;
}
