import { BillableMetricEntity, type BillableMetricRow } from '../catalog/billable-metric.entity.js';
import { ChargeEntity, type ChargeRow } from '../catalog/charge.entity.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';

export interface PastUsageRequest {
  readonly externalSubscriptionId: string;
  readonly billableMetricCode?: string;
  /** At most so many periods, the newest. */
  readonly periodsCount?: number;
  readonly page: number;
  readonly perPage: number;
}

export interface PastUsage {
  readonly period: BillingPeriodRow;
  readonly invoice: InvoiceRow;
  readonly charges: readonly PastChargeUsage[];
}

export interface PastChargeUsage {
  readonly charge: ChargeRow;
  readonly metric: BillableMetricRow;
  readonly fees: readonly FeeRow[];
}

/** The usage of closed periods as it was billed: made from fees, so late usage that was never billed is not in it. */
export class PastUsageService {
  constructor(private readonly database: Database) {}

  /** Newest period first, of whichever subscription bore the external id then. */
  read(
    organizationId: string,
    externalCustomerId: string,
    request: PastUsageRequest,
  ): Promise<{ periods: PastUsage[]; totalCount: number }> {
    return this.database.tenant(organizationId, async (em) => {
      const customer = await em.findOne(CustomerEntity, {
        ...{ organizationId, externalId: externalCustomerId },
        deletedAt: null,
      });
      if (customer === null) throw notFound('customer');
      const { externalSubscriptionId: externalId } = request;
      const known = await em.count(SubscriptionEntity, { organizationId, customerId: customer.id, externalId });
      if (known === 0) throw notFound('subscription');
      const { ids, totalCount } = await periodIds(em, customer.id, request);
      return { periods: await usageOf(em, ids, request.billableMetricCode), totalCount };
    });
  }
}

async function periodIds(
  em: EntityManager,
  customerId: string,
  { externalSubscriptionId, periodsCount, page, perPage }: PastUsageRequest,
): Promise<{ ids: string[]; totalCount: number }> {
  const rows = await em.execute<{ id: string }[]>(
    `select p.id from billing_periods p join invoices i on i.id = p.invoice_id
      where p.customer_id = ? and p.external_subscription_id = ? and p.charges_from_at is not null
        and i.status = 'finalized'
      order by p.charges_from_at desc, p.billing_at desc, p.id ${periodsCount === undefined ? '' : 'limit ?'}`,
    [customerId, externalSubscriptionId, ...(periodsCount === undefined ? [] : [periodsCount])],
  );
  const ids = rows.slice((page - 1) * perPage, page * perPage).map(({ id }) => id);
  return { ids, totalCount: rows.length };
}

async function usageOf(em: EntityManager, ids: readonly string[], metricCode?: string): Promise<PastUsage[]> {
  const periods = await em.find(BillingPeriodEntity, { id: { $in: [...ids] } });
  const invoices = await em.find(InvoiceEntity, { id: { $in: periods.flatMap(({ invoiceId }) => invoiceId ?? []) } });
  const fees = await em.find(
    FeeEntity,
    { billingPeriodId: { $in: [...ids] }, feeType: 'charge', chargeId: { $ne: null }, trueUpParentFeeId: null },
    { orderBy: { position: 'asc', id: 'asc' } },
  );
  const charges = await em.find(ChargeEntity, {
    id: { $in: [...new Set(fees.flatMap(({ chargeId }) => chargeId ?? []))] },
  });
  const metrics = await em.find(BillableMetricEntity, {
    id: { $in: [...new Set(charges.map(({ billableMetricId }) => billableMetricId))] },
  });
  const chargeById = new Map(charges.map((charge) => [charge.id, charge]));
  const metricById = new Map(metrics.map((metric) => [metric.id, metric]));
  const invoiceById = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  const periodById = new Map(periods.map((period) => [period.id, period]));
  const feesByPeriod = groupBy(fees, (fee) => fee.billingPeriodId ?? '');
  return ids.map((id) => {
    const period = periodById.get(id)!;
    const byCharge = groupBy(feesByPeriod.get(id) ?? [], (fee) => fee.chargeId ?? '');
    const used = [...byCharge].flatMap(([chargeId, own]): PastChargeUsage[] => {
      const charge = chargeById.get(chargeId);
      const metric = charge && metricById.get(charge.billableMetricId);
      if (!charge || !metric || (metricCode !== undefined && metric.code !== metricCode)) return [];
      return [{ charge, metric, fees: own }];
    });
    return { period, invoice: invoiceById.get(period.invoiceId ?? '')!, charges: used };
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const those = groups.get(key);
    if (those === undefined) groups.set(key, [item]);
    else those.push(item);
  }
  return groups;
}
