import type { Pool } from 'pg';
import type { Logger } from '../platform/logging/logger.js';

/** A subscription with usage that a charge paid in advance has to bill. */
export interface UsageInAdvance {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
}

/** Tells whoever bills that a subscription has usage to bill in advance. May hear of the same one more than once. */
export interface AdvanceUsageNotifier {
  billInAdvance(subscriptions: readonly UsageInAdvance[]): Promise<void>;
}

const SWEEP_ROWS = 500;

/**
 * Passes on which subscriptions have usage to bill in advance: at once when the first of it was stored, and by a sweep those
 * that could not be passed on, or of which nothing was heard for a while. A row of `advance_usage` lives as long as anything
 * of it waits, so what comes in the meantime needs no notice of its own.
 */
export class AdvanceUsageNotices {
  private readonly underway = new Set<Promise<void>>();

  constructor(
    private readonly pool: Pool,
    private readonly notifier: AdvanceUsageNotifier,
    private readonly logger: Logger,
  ) {}

  /** Does not hold up the caller; what fails here is the sweep's to repeat. */
  announce(subscriptions: readonly UsageInAdvance[]): void {
    if (subscriptions.length === 0) return;
    const notice: Promise<void> = this.send(subscriptions)
      .catch((error: unknown) =>
        this.logger.warn(
          { err: error, subscriptions: subscriptions.length },
          'usage to bill in advance is announced later',
        ),
      )
      .finally(() => this.underway.delete(notice));
    this.underway.add(notice);
  }

  /** One round over what nobody has heard of yet, or heard of and did not bill. */
  async sweep(): Promise<void> {
    const { rows } = await this.pool.query<{ organization_id: string; external_subscription_id: string }>(
      `select organization_id, external_subscription_id from advance_usage
       where (notified_at is null and first_seen_at < now() - interval '2 seconds')
          or notified_at < now() - interval '30 seconds'
       order by notified_at nulls first limit ${SWEEP_ROWS}`,
    );
    if (rows.length === 0) return;
    await this.send(
      rows.map((row) => ({
        organizationId: row.organization_id,
        externalSubscriptionId: row.external_subscription_id,
      })),
    );
  }

  async settled(): Promise<void> {
    await Promise.all(this.underway);
  }

  private async send(subscriptions: readonly UsageInAdvance[]): Promise<void> {
    await this.notifier.billInAdvance(subscriptions);
    await this.pool.query(
      `update advance_usage set notified_at = now()
       from unnest($1::uuid[], $2::text[]) as told (organization_id, external_subscription_id)
       where advance_usage.organization_id = told.organization_id
         and advance_usage.external_subscription_id = told.external_subscription_id`,
      [
        subscriptions.map((subscription) => subscription.organizationId),
        subscriptions.map((subscription) => subscription.externalSubscriptionId),
      ],
    );
  }
}
