import { type TaxRow, taxesByCode } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { type PlanRows, readPlanRows } from './plan-rows.js';

/** A plan with all that its JSON shows. */
export interface PlanView extends PlanRows {
  readonly taxes: ReadonlyMap<string, TaxRow>;
}

/** The views of these plans by id, in a fixed number of queries however many there are. */
export async function planViews(
  em: EntityManager,
  organizationId: string,
  planIds: readonly string[],
): Promise<Map<string, PlanView>> {
  const plans = await readPlanRows(em, planIds);
  const taxes = await taxesByCode(em, organizationId);
  return new Map([...plans].map(([id, rows]) => [id, { ...rows, taxes }]));
}
