import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PlanDifference } from './plan-difference.js';

/** What a subscription has agreed on differently from its plan. One without a row simply has its plan. */
export const SubscriptionTermsEntity = defineEntity({
  name: 'SubscriptionTerms',
  tableName: 'subscription_terms',
  properties: {
    subscriptionId: p.uuid().primary(),
    organizationId: p.uuid(),
    difference: p.json<PlanDifference>(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type SubscriptionTermsRow = InferEntity<typeof SubscriptionTermsEntity>;
