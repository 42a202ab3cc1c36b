import type { Pool } from 'pg';
import type { Logger } from '../platform/logging/logger.js';
import type { LateUsage } from './event-store.js';

export interface LateUsageNotice {
  readonly organizationId: string;
  readonly billingPeriodId: string;
  readonly invoiceId: string | null;
}

/** Tells whoever bills that usage came after its period was billed. May hear of the same row more than once. */
export interface LateUsageNotifier {
  notify(rows: readonly LateUsageNotice[]): Promise<void>;
}

const SWEEP_ROWS = 500;

/**
 * Passes rows of `late_usage` on, at once after the commit that made them and by a sweep later for those that could not
 * be passed on. A row counts as notified only for the usage that the notice was about: more of it makes it due again.
 */
export class LateUsageNotices {
  private readonly underway = new Set<Promise<void>>();

  constructor(
    private readonly pool: Pool,
    private readonly notifier: LateUsageNotifier,
    private readonly logger: Logger,
  ) {}

  /** Does not hold up the caller; what fails here is the sweep's to repeat. */
  announce(rows: readonly LateUsage[]): void {
    if (rows.length === 0) return;
    const notice: Promise<void> = this.send(rows)
      .catch((error: unknown) => this.logger.warn({ err: error, rows: rows.length }, 'late usage is announced later'))
      .finally(() => this.underway.delete(notice));
    this.underway.add(notice);
  }

  /** One round over the rows nobody has heard of yet, oldest first. */
  async sweep(): Promise<void> {
    const { rows } = await this.pool.query<{
      organization_id: string;
      billing_period_id: string;
      invoice_id: string | null;
      through_sequence: string;
    }>(
      // Younger rows are being announced by the process that stored them.
      `select organization_id, billing_period_id, invoice_id, through_sequence from late_usage
       where notified_at is null and updated_at < now() - interval '2 seconds'
       order by updated_at limit ${SWEEP_ROWS}`,
    );
    if (rows.length === 0) return;
    await this.send(
      rows.map((row) => ({
        organizationId: row.organization_id,
        billingPeriodId: row.billing_period_id,
        invoiceId: row.invoice_id,
        throughSequence: Number(row.through_sequence),
      })),
    );
  }

  async settled(): Promise<void> {
    await Promise.all(this.underway);
  }

  private async send(rows: readonly LateUsage[]): Promise<void> {
    await this.notifier.notify(
      rows.map(({ organizationId, billingPeriodId, invoiceId }) => ({ organizationId, billingPeriodId, invoiceId })),
    );
    await this.pool.query(
      `update late_usage set notified_at = now()
       from unnest($1::uuid[], $2::bigint[]) as told (billing_period_id, through_sequence)
       where late_usage.billing_period_id = told.billing_period_id
         and late_usage.through_sequence = told.through_sequence`,
      [rows.map((row) => row.billingPeriodId), rows.map((row) => row.throughSequence)],
    );
  }
}
