import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** The next moment at which a living workflow has something to do (design, section 3). */
export const DueMomentEntity = defineEntity({
  name: 'DueMoment',
  tableName: 'due_moments',
  properties: {
    ownerKind: p.text().$type<'subscription' | 'invoice'>().primary(),
    ownerId: p.uuid().primary(),
    organizationId: p.uuid(),
    customerId: p.uuid(),
    workflowId: p.text(),
    kind: p.text(),
    dueAt: p.datetime(3),
    currency: p.text().nullable(),
    testClockId: p.uuid().nullable(),
    notifiedAt: p.datetime(3).nullable(),
    updatedAt: p.datetime(3),
  },
});

export type DueMomentRow = InferEntity<typeof DueMomentEntity>;
