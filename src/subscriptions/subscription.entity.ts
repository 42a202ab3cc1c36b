import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** What becomes of time that was paid in advance and is not used. */
export type TerminationCredit = 'credit' | 'skip' | 'refund' | 'offset';

/** A customer on a plan. `ordinal` counts the subscriptions that bore this external id. */
export const SubscriptionEntity = defineEntity({
  name: 'Subscription',
  tableName: 'subscriptions',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    customerId: p.uuid(),
    externalId: p.text(),
    ordinal: p.integer(),
    planId: p.uuid(),
    name: p.text().nullable(),
    status: p.text().$type<'pending' | 'active' | 'terminated' | 'canceled'>(),
    billingTime: p.text().$type<'calendar' | 'anniversary'>(),
    subscriptionAt: p.datetime(3),
    startedAt: p.datetime(3).nullable(),
    endingAt: p.datetime(3).nullable(),
    trialEndsAt: p.datetime(3).nullable(),
    trialEndedAt: p.datetime(3).nullable(),
    terminatedAt: p.datetime(3).nullable(),
    canceledAt: p.datetime(3).nullable(),
    previousSubscriptionId: p.uuid().nullable(),
    nextPlanAt: p.datetime(3).nullable(),
    nextPlanAtOnce: p.boolean().default(false),
    pausedAt: p.datetime(3).nullable(),
    resumeAt: p.datetime(3).nullable(),
    resumedAt: p.datetime(3).nullable(),
    onTerminationCreditNote: p.text().$type<TerminationCredit>().nullable(),
    onTerminationInvoice: p.text().$type<'generate' | 'skip'>(),
    unitChangesDue: p.json<string[]>().nullable(),
    closedThroughAt: p.datetime(3).nullable(),
    doneKind: p.text().nullable(),
    doneAt: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type SubscriptionRow = InferEntity<typeof SubscriptionEntity>;
