import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** From `effectiveAt` on a subscription has these units of a fixed charge. Without any record it has the plan's units. */
export const FixedChargeUnitChangeEntity = defineEntity({
  name: 'FixedChargeUnitChange',
  tableName: 'fixed_charge_unit_changes',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    fixedChargeId: p.uuid(),
    subscriptionId: p.uuid(),
    units: p.decimal(),
    effectiveAt: p.datetime(3),
    createdAt: p.datetime(3),
  },
});

export type FixedChargeUnitChangeRow = InferEntity<typeof FixedChargeUnitChangeEntity>;
