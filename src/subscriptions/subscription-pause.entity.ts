import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A stretch of time in which a subscription stands still: half-open, without an end until it resumes. */
export const SubscriptionPauseEntity = defineEntity({
  name: 'SubscriptionPause',
  tableName: 'subscription_pauses',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    subscriptionId: p.uuid(),
    externalSubscriptionId: p.text(),
    fromAt: p.datetime(3),
    untilAt: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
  },
});

export type SubscriptionPauseRow = InferEntity<typeof SubscriptionPauseEntity>;
