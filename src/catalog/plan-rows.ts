import type { EntityManager } from '../platform/database/database.js';
import { AddOnEntity, type AddOnRow } from './add-on.entity.js';
import { BillableMetricEntity, type BillableMetricRow } from './billable-metric.entity.js';
import { ChargeFilterEntity, type ChargeFilterRow } from './charge-filter.entity.js';
import { ChargeEntity, type ChargeRow } from './charge.entity.js';
import { FixedChargeEntity, type FixedChargeRow } from './fixed-charge.entity.js';
import { MinimumCommitmentEntity, type MinimumCommitmentRow } from './minimum-commitment.entity.js';
import { PlanEntity, type PlanRow } from './plan.entity.js';

/** Everything a plan consists of: what its JSON shows and what rating parses. */
export interface PlanRows {
  readonly plan: PlanRow;
  /** The live ones, in the order they were sent in. */
  readonly charges: readonly ChargeRows[];
  readonly fixedCharges: readonly FixedChargeRows[];
  readonly commitment: MinimumCommitmentRow | null;
}

export interface ChargeRows {
  readonly charge: ChargeRow;
  readonly metric: BillableMetricRow;
  readonly filters: readonly ChargeFilterRow[];
}

export interface FixedChargeRows {
  readonly fixedCharge: FixedChargeRow;
  readonly addOn: AddOnRow;
}

/**
 * These plans by id, in a fixed number of queries however many there are. `detached` rows belong to no identity map, so that
 * they can be kept beyond the transaction.
 */
export async function readPlanRows(
  em: EntityManager,
  planIds: readonly string[],
  { detached = false }: { detached?: boolean } = {},
): Promise<Map<string, PlanRows>> {
  const ids = [...new Set(planIds)];
  const how = { disableIdentityMap: detached };
  const inOrder = { ...how, orderBy: { position: 'asc', id: 'asc' } } as const;
  const plans = await em.find(PlanEntity, { id: { $in: ids } }, how);
  const charges = await em.find(ChargeEntity, { planId: { $in: ids }, deletedAt: null }, inOrder);
  const fixedCharges = await em.find(FixedChargeEntity, { planId: { $in: ids }, deletedAt: null }, inOrder);
  const commitments = await em.find(MinimumCommitmentEntity, { planId: { $in: ids } }, how);
  const chargesByPlan = groupedBy(await withMetrics(em, charges, detached), ({ charge }) => charge.planId);
  const fixedByPlan = groupedBy(await withAddOns(em, fixedCharges, detached), ({ fixedCharge }) => fixedCharge.planId);
  return new Map(
    plans.map((plan) => [
      plan.id,
      {
        plan,
        charges: chargesByPlan.get(plan.id) ?? [],
        fixedCharges: fixedByPlan.get(plan.id) ?? [],
        commitment: commitments.find(({ planId }) => planId === plan.id) ?? null,
      },
    ]),
  );
}

/**
 * Charges and fixed charges that were taken off their plans, for subscriptions that still have them. What was metered by a
 * metric that is deleted is gone for everybody.
 */
export async function readFormerParts(
  em: EntityManager,
  ids: { readonly charges: readonly string[]; readonly fixedCharges: readonly string[] },
  { detached = false }: { detached?: boolean } = {},
): Promise<{ charges: ChargeRows[]; fixedCharges: FixedChargeRows[] }> {
  const how = { disableIdentityMap: detached, orderBy: { position: 'asc', id: 'asc' } } as const;
  const isFormer = (some: readonly string[]) => ({ id: { $in: [...some] }, deletedAt: { $ne: null } });
  const charges = ids.charges.length === 0 ? [] : await em.find(ChargeEntity, isFormer(ids.charges), how);
  const fixed = ids.fixedCharges.length === 0 ? [] : await em.find(FixedChargeEntity, isFormer(ids.fixedCharges), how);
  const metered = await withMetrics(em, charges, detached);
  return {
    charges: metered.filter(({ metric }) => metric.deletedAt == null),
    fixedCharges: await withAddOns(em, fixed, detached),
  };
}

async function withMetrics(em: EntityManager, charges: readonly ChargeRow[], detached: boolean): Promise<ChargeRows[]> {
  if (charges.length === 0) return [];
  const how = { disableIdentityMap: detached };
  const filters = await em.find(
    ChargeFilterEntity,
    { chargeId: { $in: charges.map(({ id }) => id) } },
    { ...how, orderBy: { position: 'asc', id: 'asc' } },
  );
  const metricIds = [...new Set(charges.map(({ billableMetricId }) => billableMetricId))];
  const metrics = await em.find(BillableMetricEntity, { id: { $in: metricIds } }, how);
  const metricById = new Map(metrics.map((metric) => [metric.id, metric]));
  const filtersByCharge = groupedBy(filters, ({ chargeId }) => chargeId);
  return charges.map((charge) => ({
    charge,
    metric: metricById.get(charge.billableMetricId)!,
    filters: filtersByCharge.get(charge.id) ?? [],
  }));
}

async function withAddOns(
  em: EntityManager,
  fixedCharges: readonly FixedChargeRow[],
  detached: boolean,
): Promise<FixedChargeRows[]> {
  if (fixedCharges.length === 0) return [];
  const addOnIds = [...new Set(fixedCharges.map(({ addOnId }) => addOnId))];
  const addOns = await em.find(AddOnEntity, { id: { $in: addOnIds } }, { disableIdentityMap: detached });
  const addOnById = new Map(addOns.map((addOn) => [addOn.id, addOn]));
  return fixedCharges.map((fixedCharge) => ({ fixedCharge, addOn: addOnById.get(fixedCharge.addOnId)! }));
}

function groupedBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return groups;
}
