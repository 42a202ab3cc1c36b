import { BillableMetricEntity, type BillableMetricRow } from '../catalog/billable-metric.entity.js';
import { ChargeEntity, type ChargeRow } from '../catalog/charge.entity.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import { Decimal } from '../domain/money/decimal.js';
import { plainArray, textArray } from '../metering/array-literal.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';
import type { StoredPart } from './presentation.mapping.js';
import type { UsagePart } from './usage-breakdown.js';

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
  readonly lines: readonly PastUsageLine[];
}

/** What was billed of one price and one set of group values: the sum of its fees. */
export interface PastUsageLine {
  /** The newest of the fees: what they have in common is read off it. */
  readonly fee: FeeRow;
  readonly units: Decimal;
  readonly totalAggregatedUnits: Decimal;
  readonly eventsCount: number;
  readonly amountMinor: number;
  readonly taxesAmountMinor: number;
  readonly parts: readonly Pick<UsagePart, 'presentedBy' | 'units'>[];
}

/**
 * The usage of closed periods as it was billed: made from fees, so late usage that was never billed is not in it.
 *
 * A period is one close of a subscription's usage that has an invoice; invoices of single events and of regrouped fees are
 * none. A fee is shown with the period that its time begins in: usage in arrears with the close that billed it, an event paid
 * in advance with the period of its time, a renewal with the period that it paid for, once that one is closed. What begins
 * where no close has an invoice (a pause that nothing was owed at) goes to the next one that has, and of a subscription that
 * ended without an invoice to its last. So each fee is in one period, whatever document it is on; fees of drafts and of
 * voided invoices are in none.
 */
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

/** Periods of documents that close nothing. */
const SHOWN_ONLY = ['in_advance_charge', 'in_advance_charge_periodic'];

async function periodIds(
  em: EntityManager,
  customerId: string,
  { externalSubscriptionId, periodsCount, page, perPage }: PastUsageRequest,
): Promise<{ ids: string[]; totalCount: number }> {
  const rows = await em.execute<{ id: string }[]>(
    `select p.id from billing_periods p join invoices i on i.id = p.invoice_id
      where p.customer_id = ? and p.external_subscription_id = ? and p.charges_from_at is not null
        and i.status = 'finalized' and p.invoicing_reason <> all(?::text[])
      order by p.charges_from_at desc, p.billing_at desc, p.id ${periodsCount === undefined ? '' : 'limit ?'}`,
    [customerId, externalSubscriptionId, textArray(SHOWN_ONLY), ...(periodsCount === undefined ? [] : [periodsCount])],
  );
  const ids = rows.slice((page - 1) * perPage, page * perPage).map(({ id }) => id);
  return { ids, totalCount: rows.length };
}

async function usageOf(em: EntityManager, ids: readonly string[], metricCode?: string): Promise<PastUsage[]> {
  const periods = await em.find(BillingPeriodEntity, { id: { $in: [...ids] } });
  const invoices = await em.find(InvoiceEntity, { id: { $in: periods.flatMap(({ invoiceId }) => invoiceId ?? []) } });
  const sums = await billedSums(em, ids);
  const fees = await em.find(FeeEntity, { id: { $in: sums.map((sum) => sum.fee_id) } });
  const feeById = new Map(fees.map((fee) => [fee.id, fee]));
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
  const sumsByPeriod = Map.groupBy(sums, (sum) => sum.period_id);
  return ids.map((id) => {
    const period = periodById.get(id)!;
    const byCharge = Map.groupBy(sumsByPeriod.get(id) ?? [], (sum) => sum.charge_id);
    const used = [...byCharge].flatMap(([chargeId, own]): PastChargeUsage[] => {
      const charge = chargeById.get(chargeId);
      const metric = charge && metricById.get(charge.billableMetricId);
      if (!charge || !metric || (metricCode !== undefined && metric.code !== metricCode)) return [];
      return [{ charge, metric, lines: own.map((sum) => toLine(sum, feeById.get(sum.fee_id)!)) }];
    });
    return { period, invoice: invoiceById.get(period.invoiceId ?? '')!, charges: used };
  });
}

interface BilledSumRow {
  readonly period_id: string;
  readonly charge_id: string;
  readonly fee_id: string;
  readonly units: string;
  readonly total_aggregated_units: string;
  readonly events_count: string;
  readonly amount_cents: string;
  readonly taxes_amount_cents: string;
  readonly parts: readonly StoredPart[];
}

/** The fees of each period as the table `billed`, asked by the array of their ids, SHOWN_ONLY and the ids again. */
const BILLED = `
  closes as (
    select p.id, p.subscription_id, p.charges_to_at,
           lag(p.charges_to_at) over own as after_at,
           lead(p.id) over own is null and s.status = 'terminated' as takes_the_rest
      from billing_periods p join subscriptions s on s.id = p.subscription_id
     where p.subscription_id in (select subscription_id from billing_periods where id = any(?::uuid[]))
       and p.charges_from_at is not null and p.invoice_id is not null and p.invoicing_reason <> all(?::text[])
    window own as (partition by p.subscription_id order by p.charges_to_at, p.billing_at)
  ), billed as (
    select p.id as period_id, f.*
      from closes p
      join fees f on f.subscription_id = p.subscription_id and f.from_at >= coalesce(p.after_at, '-infinity')
                 and (f.from_at < p.charges_to_at or p.takes_the_rest)
      left join invoices i on i.id = f.invoice_id
     where p.id = any(?::uuid[]) and f.fee_type = 'charge' and f.true_up_parent_fee_id is null and f.deleted_at is null
       and (i.status = 'finalized' or (f.invoice_id is null and not f.invoiceable))
  )`;

/**
 * The sums of each period's fees, by charge, filter and group, in the order of the plan. Summed where they are stored: a
 * period of usage paid in advance has as many fees as it had events.
 */
function billedSums(em: EntityManager, periodIds: readonly string[]): Promise<BilledSumRow[]> {
  const ids = plainArray([...periodIds]);
  return em.execute<BilledSumRow[]>(
    `with ${BILLED}, parts as (
       select period_id, charge_id, coalesce(charge_filter_id, charge_id) as price_id, grouped_by,
              part -> 'presentation_by' as presentation_by, sum((part ->> 'units')::numeric)::text as units
         from billed cross join jsonb_array_elements(presentation_breakdowns) as part
        group by 1, 2, 3, 4, 5
     ), parts_of_lines as (
       select period_id, charge_id, price_id, grouped_by,
              jsonb_agg(jsonb_build_object('presentation_by', presentation_by, 'units', units)) as parts
         from parts group by 1, 2, 3, 4
     ), lines as (
       select period_id, charge_id, charge_filter_id, coalesce(charge_filter_id, charge_id) as price_id, grouped_by,
              (array_agg(id order by created_at desc, id))[1] as fee_id, sum(units)::text as units,
              sum(coalesce(total_aggregated_units, units))::text as total_aggregated_units,
              sum(coalesce(events_count, 0))::text as events_count, sum(amount_cents)::text as amount_cents,
              sum(taxes_amount_cents)::text as taxes_amount_cents
         from billed group by period_id, charge_id, charge_filter_id, grouped_by
     )
     select l.period_id, l.charge_id, l.fee_id, l.units, l.total_aggregated_units, l.events_count, l.amount_cents,
            l.taxes_amount_cents, coalesce(p.parts, '[]') as parts
       from lines l
       left join parts_of_lines p using (period_id, charge_id, price_id, grouped_by)
       join charges c on c.id = l.charge_id
       left join charge_filters x on x.id = l.charge_filter_id
      order by c.position, l.charge_id, x.position nulls last, l.charge_filter_id, l.grouped_by::text`,
    [ids, textArray(SHOWN_ONLY), ids],
  );
}

function toLine(sum: BilledSumRow, fee: FeeRow): PastUsageLine {
  return {
    fee,
    units: new Decimal(sum.units),
    totalAggregatedUnits: new Decimal(sum.total_aggregated_units),
    eventsCount: Number(sum.events_count),
    amountMinor: Number(sum.amount_cents),
    taxesAmountMinor: Number(sum.taxes_amount_cents),
    parts: sum.parts.map(({ presentation_by: presentedBy, units }) => ({ presentedBy, units: new Decimal(units) })),
  };
}
