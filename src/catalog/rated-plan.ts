import type { AggregationKind, MetricDefinition, RoundingFunction } from '../domain/catalog/billable-metric.js';
import { type ChargeModel, parseChargeProperties } from '../domain/catalog/charge.js';
import type { ChargeFilter } from '../domain/catalog/charge-filter.js';
import type { Charge, Plan } from '../domain/catalog/plan.js';
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
}

export interface RatedCharge {
  readonly charge: Charge;
  readonly row: ChargeRow;
  readonly metricRow: BillableMetricRow;
  readonly filterRows: readonly ChargeFilterRow[];
}

/** Loads a plan with all its live charges in four queries, however many charges and filters it has. */
export async function loadRatedPlan(em: EntityManager, planId: string): Promise<RatedPlan> {
  const row = await em.findOneOrFail(PlanEntity, { id: planId });
  const chargeRows = await em.find(ChargeEntity, { planId, deletedAt: null }, { orderBy: { position: 'asc' } });
  const filterRows = await em.find(
    ChargeFilterEntity,
    { chargeId: { $in: chargeRows.map((charge) => charge.id) } },
    { orderBy: { position: 'asc' } },
  );
  const metricRows = await em.find(BillableMetricEntity, {
    id: { $in: [...new Set(chargeRows.map((charge) => charge.billableMetricId))] },
  });
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
