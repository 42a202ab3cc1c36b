import type { AggregationKind, MetricDefinition, RoundingFunction } from '../domain/catalog/billable-metric.js';
import { type ChargeModel, parseChargeProperties } from '../domain/catalog/charge.js';
import type { ChargeFilter } from '../domain/catalog/charge-filter.js';
import type { Charge, FixedCharge, MinimumCommitment, Plan } from '../domain/catalog/plan.js';
import type { BillingInterval } from '../domain/calendar/billing-calendar.js';
import { invariant } from '../domain/invariant.js';
import type { EntityManager } from '../platform/database/database.js';
import { BillableMetricEntity, type BillableMetricRow } from './billable-metric.entity.js';
import { ChargeFilterEntity, type ChargeFilterRow } from './charge-filter.entity.js';
import { ChargeEntity, type ChargeRow } from './charge.entity.js';
import { PlanEntity, type PlanRow } from './plan.entity.js';

/** A plan as rating needs it, with the rows that documents show beside the prices. */
export interface RatedPlan {
  readonly plan: Plan;
  readonly row: PlanRow;
  readonly charges: readonly RatedCharge[];
  readonly fixedCharges: readonly RatedFixedCharge[];
  readonly commitment: RatedCommitment | null;
}

export interface RatedCharge {
  readonly charge: Charge;
  readonly row: ChargeRow;
  readonly metricRow: BillableMetricRow;
  readonly filterRows: readonly ChargeFilterRow[];
}

export interface RatedFixedCharge {
  readonly fixedCharge: FixedCharge;
  readonly taxCodes: readonly string[];
  /** As it was sent, for the record of what a fee was priced by. */
  readonly properties: Record<string, unknown>;
  readonly addOn: {
    readonly id: string;
    readonly code: string;
    readonly name: string;
    readonly description: string | null;
  };
}

export interface RatedCommitment {
  readonly commitment: MinimumCommitment;
  readonly taxCodes: readonly string[];
}

const CACHED_PLANS = 500;
const cache = new Map<string, { readonly version: string; readonly plan: RatedPlan }>();

/**
 * A plan with all its live charges. What was loaded before is used again as long as not one of its rows has changed, which
 * one small query tells: a plan with hundreds of prices is read and parsed once, not for every close and every look at usage.
 */
export async function loadRatedPlan(em: EntityManager, planId: string): Promise<RatedPlan> {
  const version = await versionOf(em, planId);
  const cached = cache.get(planId);
  if (cached !== undefined && cached.version === version) return cached.plan;
  const plan = await readRatedPlan(em, planId);
  cache.delete(planId);
  cache.set(planId, { version, plan });
  const [oldest] = cache.keys();
  if (cache.size > CACHED_PLANS && oldest !== undefined) cache.delete(oldest);
  return plan;
}

/** The plan of a subscription with the subscription's own terms laid over it: what everything that bills it goes by. */
export async function loadSubscriptionPlan(
  em: EntityManager,
  subscription: { readonly id: string; readonly planId: string },
): Promise<RatedPlan> {
  return loadRatedPlan(em, subscription.planId);
}

// xmin names the transaction that wrote a row as it is: no writer can forget to count it up.
async function versionOf(em: EntityManager, planId: string): Promise<string> {
  const [row] = await em.execute<{ version: string }[]>(
    `select concat_ws('/', p.xmin::text,
       (select md5(string_agg(c.id::text || c.xmin::text || m.xmin::text, ',' order by c.id))
          from charges c join billable_metrics m on m.id = c.billable_metric_id
         where c.plan_id = p.id and c.deleted_at is null),
       (select md5(string_agg(f.id::text || f.xmin::text, ',' order by f.id))
          from charge_filters f join charges c on c.id = f.charge_id
         where c.plan_id = p.id and c.deleted_at is null)) as version
     from plans p where p.id = ?`,
    [planId],
  );
  invariant(row, 'the plan of a subscription exists');
  return row.version;
}

/** Four queries, however many charges and filters there are. */
async function readRatedPlan(em: EntityManager, planId: string): Promise<RatedPlan> {
  // Plain rows: what is kept must not hang on this transaction's identity map.
  const plain = { disableIdentityMap: true };
  const row = await em.findOneOrFail(PlanEntity, { id: planId }, plain);
  const chargeRows = await em.find(
    ChargeEntity,
    { planId, deletedAt: null },
    { ...plain, orderBy: { position: 'asc' } },
  );
  const filterRows = await em.find(
    ChargeFilterEntity,
    { chargeId: { $in: chargeRows.map((charge) => charge.id) } },
    { ...plain, orderBy: { position: 'asc' } },
  );
  const metricIds = [...new Set(chargeRows.map((charge) => charge.billableMetricId))];
  const metricRows = await em.find(BillableMetricEntity, { id: { $in: metricIds } }, plain);
  const metrics = new Map(metricRows.map((metric) => [metric.id, metric]));
  const charges = chargeRows.map((charge) => {
    const metricRow = metrics.get(charge.billableMetricId);
    invariant(metricRow, `charge ${charge.code} has a metric`);
    const filters = filterRows.filter((filter) => filter.chargeId === charge.id);
    return { charge: toCharge(charge, metricRow, filters), row: charge, metricRow, filterRows: filters };
  });
  return {
    plan: toPlan(
      row,
      charges.map(({ charge }) => charge),
    ),
    row,
    charges,
    fixedCharges: [],
    commitment: null,
  };
}

/** A metric as metering and rating see it. */
export function toMetricDefinition(row: BillableMetricRow): MetricDefinition {
  return {
    id: row.id,
    code: row.code,
    aggregation: row.aggregationType as AggregationKind,
    fieldName: row.fieldName ?? null,
    recurring: row.recurring,
    rounding:
      row.roundingFunction == null
        ? null
        : { function: row.roundingFunction as RoundingFunction, precision: row.roundingPrecision ?? null },
    filters: row.filters,
  };
}

function toPlan(row: PlanRow, charges: Charge[]): Plan {
  return {
    id: row.id,
    code: row.code,
    name: row.name,
    interval: row.interval as BillingInterval,
    amountMinor: row.amountCents,
    currency: row.amountCurrency,
    payInAdvance: row.payInAdvance,
    trialDays: Number(row.trialPeriod ?? 0),
    billChargesMonthly: row.billChargesMonthly ?? false,
    charges,
    fixedCharges: [],
    commitment: null,
  };
}

function toCharge(row: ChargeRow, metric: BillableMetricRow, filters: ChargeFilterRow[]): Charge {
  return {
    id: row.id,
    code: row.code,
    metric: toMetricDefinition(metric),
    model: parsed(row.chargeModel, row.properties, row.code),
    filters: filters.map((filter): ChargeFilter => ({
      id: filter.id,
      values: filter.values,
      model: parsed(row.chargeModel, filter.properties, row.code),
      invoiceDisplayName: filter.invoiceDisplayName ?? null,
    })),
    payInAdvance: row.payInAdvance,
    prorated: row.prorated,
    invoiceable: row.invoiceable,
    minAmountMinor: row.minAmountCents,
    invoiceDisplayName: row.invoiceDisplayName ?? null,
  };
}

// Properties were validated when they were written; a failure here is a broken record, not bad input.
function parsed(kind: string, properties: Record<string, unknown>, code: string): ChargeModel {
  const result = parseChargeProperties(kind, properties);
  invariant(result.ok, `the stored properties of charge ${code} are a valid ${kind} price`);
  return result.model;
}
