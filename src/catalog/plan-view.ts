import { type TaxRow, taxesByCode } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { BillableMetricEntity, type BillableMetricRow } from './billable-metric.entity.js';
import { ChargeFilterEntity, type ChargeFilterRow } from './charge-filter.entity.js';
import { ChargeEntity, type ChargeRow } from './charge.entity.js';
import { PlanEntity, type PlanRow } from './plan.entity.js';

/** A plan with all that its JSON shows. */
export interface PlanView {
  readonly plan: PlanRow;
  readonly charges: readonly ChargeView[];
  readonly taxes: ReadonlyMap<string, TaxRow>;
}

export interface ChargeView {
  readonly charge: ChargeRow;
  readonly metric: BillableMetricRow;
  readonly filters: readonly ChargeFilterRow[];
}

/** The views of these plans by id, in four queries however many there are. */
export async function planViews(
  em: EntityManager,
  organizationId: string,
  planIds: readonly string[],
): Promise<Map<string, PlanView>> {
  const ids = [...new Set(planIds)];
  const plans = await em.find(PlanEntity, { organizationId, id: { $in: ids } });
  const charges = await em.find(
    ChargeEntity,
    { planId: { $in: ids }, deletedAt: null },
    { orderBy: { position: 'asc', id: 'asc' } },
  );
  const filters = await em.find(
    ChargeFilterEntity,
    { chargeId: { $in: charges.map(({ id }) => id) } },
    { orderBy: { position: 'asc' } },
  );
  const metrics = await em.find(BillableMetricEntity, {
    id: { $in: [...new Set(charges.map(({ billableMetricId }) => billableMetricId))] },
  });
  const taxes = await taxesByCode(em, organizationId);
  const metricById = new Map(metrics.map((metric) => [metric.id, metric]));
  const filtersByCharge = grouped(filters, ({ chargeId }) => chargeId);
  const chargesByPlan = grouped(charges, ({ planId }) => planId);
  return new Map(
    plans.map((plan) => {
      const views = (chargesByPlan.get(plan.id) ?? []).map((charge) => ({
        charge,
        metric: metricById.get(charge.billableMetricId)!,
        filters: filtersByCharge.get(charge.id) ?? [],
      }));
      return [plan.id, { plan, charges: views, taxes }];
    }),
  );
}

function grouped<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return groups;
}
