import type { SearchAttributeValues } from './search-attributes.js';
import type { SubscriptionState } from './subscription.contract.js';

/** What a subscription is listed and filtered by in the Temporal UI. */
export function subscriptionSearchAttributes(state: SubscriptionState): SearchAttributeValues {
  const { face, due } = state;
  return {
    BillingState: face.state,
    OrganizationId: state.organizationId,
    CustomerId: face.customerId,
    SubscriptionId: state.externalId,
    PlanCode: face.planCode,
    Currency: face.currency,
    PeriodKey: face.period === null ? null : face.period.from.slice(0, 10),
    PeriodEnd: face.period === null ? null : new Date(face.period.to),
    NextActionAt: due === null ? null : new Date(due.at),
    TestClockId: state.clock.kind === 'test' ? state.clock.id : null,
    NeedsAttention: false,
  };
}
