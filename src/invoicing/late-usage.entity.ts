import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** Usage stored after its period had been billed; the row goes when the invoice has taken it in. */
export const LateUsageEntity = defineEntity({
  name: 'LateUsage',
  tableName: 'late_usage',
  properties: {
    billingPeriodId: p.uuid().primary(),
    organizationId: p.uuid(),
    invoiceId: p.uuid().nullable(),
    eventsCount: p.bigint('number'),
    throughSequence: p.bigint('number'),
    firstSeenAt: p.datetime(3),
    updatedAt: p.datetime(3),
    notifiedAt: p.datetime(3).nullable(),
  },
});

export type LateUsageRow = InferEntity<typeof LateUsageEntity>;
