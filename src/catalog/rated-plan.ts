import type { AggregationKind, MetricDefinition, RoundingFunction } from '../domain/catalog/billable-metric.js';
import { type ChargeModel, parseChargeProperties } from '../domain/catalog/charge.js';
import type { ChargeFilter } from '../domain/catalog/charge-filter.js';
import type { Charge, FixedCharge, MinimumCommitment, Plan } from '../domain/catalog/plan.js';
import type { BillingInterval } from '../domain/calendar/billing-calendar.js';
import { invariant } from '../domain/invariant.js';
import { Decimal } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import type { BillableMetricRow } from './billable-metric.entity.js';
import type { ChargeFilterRow } from './charge-filter.entity.js';
import { presentationKeysOf, pricingGroupKeys } from './charge-terms.js';
import type { ChargeRow } from './charge.entity.js';
import type { MinimumCommitmentRow } from './minimum-commitment.entity.js';
import { type ChargeRows, type FixedChargeRows, type PlanRows, readPlanRows } from './plan-rows.js';
import type { PlanRow } from './plan.entity.js';
import { readSubscriptionPlans } from './subscription-plan.js';

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
    readonly invoiceDisplayName: string | null;
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
  const { version } = await versionOf(em, planId, null);
  return cached(planId, version, async () => {
    const rows = (await readPlanRows(em, [planId], { detached: true })).get(planId);
    invariant(rows, 'the plan of a subscription exists');
    return ratedPlan(rows);
  });
}

/** The plan of a subscription with the subscription's own terms laid over it: what everything that bills it goes by. */
export async function loadSubscriptionPlan(
  em: EntityManager,
  subscription: { readonly id: string; readonly planId: string },
): Promise<RatedPlan> {
  const { version, terms } = await versionOf(em, subscription.planId, subscription.id);
  // Subscriptions without terms of their own share one plan.
  const key = terms === null ? subscription.planId : `${subscription.planId}/${subscription.id}`;
  return cached(key, terms === null ? version : `${version}/${terms}`, async () => {
    const plans = await readSubscriptionPlans(em, [subscription], { detached: true });
    return ratedPlan(plans.get(subscription.id)!.rows);
  });
}

async function cached(key: string, version: string, load: () => Promise<RatedPlan>): Promise<RatedPlan> {
  const known = cache.get(key);
  if (known !== undefined && known.version === version) return known.plan;
  const plan = await load();
  cache.delete(key);
  cache.set(key, { version, plan });
  const [oldest] = cache.keys();
  if (cache.size > CACHED_PLANS && oldest !== undefined) cache.delete(oldest);
  return plan;
}

// xmin names the transaction that wrote a row as it is: no writer can forget to count it up.
async function versionOf(
  em: EntityManager,
  planId: string,
  subscriptionId: string | null,
): Promise<{ version: string; terms: string | null }> {
  const [row] = await em.execute<{ version: string; terms: string | null }[]>(
    // Terms of its own may keep what the plan has no more.
    `select concat_ws('/', p.xmin::text,
       (select md5(string_agg(c.id::text || c.xmin::text || m.xmin::text, ',' order by c.id))
          from charges c join billable_metrics m on m.id = c.billable_metric_id
         where c.plan_id = p.id and (c.deleted_at is null or t.subscription_id is not null)),
       (select md5(string_agg(f.id::text || f.xmin::text, ',' order by f.id))
          from charge_filters f join charges c on c.id = f.charge_id
         where c.plan_id = p.id and (c.deleted_at is null or t.subscription_id is not null)),
       (select md5(string_agg(x.id::text || x.xmin::text || a.xmin::text, ',' order by x.id))
          from fixed_charges x join add_ons a on a.id = x.add_on_id
         where x.plan_id = p.id and (x.deleted_at is null or t.subscription_id is not null)),
       (select x.xmin::text from minimum_commitments x where x.plan_id = p.id)) as version,
       t.xmin::text as terms
     from plans p left join subscription_terms t on t.subscription_id = ?::uuid
    where p.id = ?`,
    [subscriptionId, planId],
  );
  invariant(row, 'the plan of a subscription exists');
  return row;
}

/** Parses the rows of a plan. Their prices were validated when they were written. */
export function ratedPlan(rows: PlanRows): RatedPlan {
  const charges = rows.charges.map((one) => ({
    charge: toCharge(one),
    row: one.charge,
    metricRow: one.metric,
    filterRows: one.filters,
  }));
  const fixedCharges = rows.fixedCharges.map(toRatedFixedCharge);
  const commitment = rows.commitment === null ? null : toRatedCommitment(rows.commitment);
  const { plan: row } = rows;
  const plan: Plan = {
    id: row.id,
    code: row.code,
    name: row.name,
    interval: row.interval as BillingInterval,
    amountMinor: row.amountCents,
    currency: row.amountCurrency,
    payInAdvance: row.payInAdvance,
    trialDays: Number(row.trialPeriod ?? 0),
    billChargesMonthly: row.billChargesMonthly ?? false,
    billFixedChargesMonthly: row.billFixedChargesMonthly ?? false,
    charges: charges.map(({ charge }) => charge),
    fixedCharges: fixedCharges.map(({ fixedCharge }) => fixedCharge),
    commitment: commitment?.commitment ?? null,
  };
  return { plan, row, charges, fixedCharges, commitment };
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
    groupKeys: row.groupKeys,
  };
}

function toCharge({ charge: row, metric, filters }: ChargeRows): Charge {
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
      pricingGroupKeys: pricingGroupKeys(filter.properties),
      presentationKeys: presentationKeysOf(filter.properties),
    })),
    payInAdvance: row.payInAdvance,
    prorated: row.prorated,
    invoiceable: row.invoiceable,
    minAmountMinor: row.minAmountCents,
    invoiceDisplayName: row.invoiceDisplayName ?? null,
    pricingGroupKeys: pricingGroupKeys(row.properties),
    presentationKeys: presentationKeysOf(row.properties),
  };
}

function toRatedFixedCharge({ fixedCharge: row, addOn }: FixedChargeRows): RatedFixedCharge {
  const model = parsed(row.chargeModel, row.properties, row.code);
  invariant(isFixedModel(model), `the model of fixed charge ${row.code} needs no events`);
  return {
    fixedCharge: {
      id: row.id,
      code: row.code,
      units: new Decimal(row.units),
      model,
      payInAdvance: row.payInAdvance,
      prorated: row.prorated,
      invoiceDisplayName: row.invoiceDisplayName ?? null,
    },
    taxCodes: row.taxCodes,
    properties: row.properties,
    addOn: {
      id: addOn.id,
      code: addOn.code,
      name: addOn.name,
      invoiceDisplayName: addOn.invoiceDisplayName ?? null,
      description: addOn.description ?? null,
    },
  };
}

function isFixedModel(model: ChargeModel): model is FixedCharge['model'] {
  return model.kind === 'standard' || model.kind === 'graduated' || model.kind === 'volume';
}

function toRatedCommitment(row: MinimumCommitmentRow): RatedCommitment {
  return {
    commitment: { id: row.id, amountMinor: row.amountCents, invoiceDisplayName: row.invoiceDisplayName ?? null },
    taxCodes: row.taxCodes,
  };
}

// Properties were validated when they were written; a failure here is a broken record, not bad input.
function parsed(kind: string, properties: Record<string, unknown>, code: string): ChargeModel {
  const result = parseChargeProperties(kind, properties);
  invariant(result.ok, `the stored properties of charge ${code} are a valid ${kind} price`);
  return result.model;
}
