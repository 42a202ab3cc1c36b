import { Decimal } from '../domain/money/decimal.js';
import type { PlanRows } from './plan-rows.js';
import type { UnitsChange } from './ports.js';

/** Where the units of fixed charges are others than they were; `atOnce` names those that change without waiting. */
export function unitChanges(before: PlanRows, after: PlanRows, atOnce: ReadonlySet<string>): UnitsChange[] {
  const former = new Map(before.fixedCharges.map(({ fixedCharge: { id, units } }) => [id, units]));
  return after.fixedCharges.flatMap(({ fixedCharge: { id, units, payInAdvance } }) => {
    const from = former.get(id) ?? null;
    if (from !== null && new Decimal(from).equals(units)) return [];
    return [{ fixedChargeId: id, from, to: units, atOnce: atOnce.has(id), payInAdvance }];
  });
}
