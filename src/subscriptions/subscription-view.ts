import { type PlanView, subscriptionPlanViews } from '../catalog/index.js';
import { PlanEntity } from '../catalog/plan.entity.js';
import { type CustomerView, customerViews } from '../customers/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { TestClockEntity } from '../test-clocks/test-clock.entity.js';
import { SubscriptionEntity, type SubscriptionRow } from './subscription.entity.js';

/** A subscription with all that its JSON shows. */
export interface SubscriptionView {
  readonly subscription: SubscriptionRow;
  readonly plan: PlanView;
  readonly customer: CustomerView;
  /** The subscriptions of the plan changes that led here and that lead on from here. */
  readonly previous: Neighbour | null;
  readonly next: Neighbour | null;
  /** The present on the clock the customer lives on. */
  readonly now: Date;
}

export interface Neighbour {
  readonly planCode: string;
  readonly status: SubscriptionRow['status'];
}

/** The views of these subscriptions by id, in a fixed number of queries. */
export async function subscriptionViews(
  em: EntityManager,
  organizationId: string,
  subscriptionIds: readonly string[],
): Promise<Map<string, SubscriptionView>> {
  const ids = [...new Set(subscriptionIds)];
  const subscriptions = await em.find(SubscriptionEntity, { organizationId, id: { $in: ids } });
  const plans = await subscriptionPlanViews(em, organizationId, subscriptions);
  const customers = await customerViews(
    em,
    organizationId,
    subscriptions.map(({ customerId }) => customerId),
  );
  const neighbours = await neighboursOf(em, subscriptions);
  const presents = await presentOfCustomers(em, customers);
  return new Map(
    subscriptions.map((subscription) => [
      subscription.id,
      {
        subscription,
        plan: plans.get(subscription.id)!,
        customer: customers.get(subscription.customerId)!,
        previous: neighbours.byId.get(subscription.previousSubscriptionId ?? '') ?? null,
        next: neighbours.byPrevious.get(subscription.id) ?? null,
        now: presents.get(subscription.customerId)!,
      },
    ]),
  );
}

/** What time it is for each customer: on its test clock, or on the wall. */
export async function presentOfCustomers(
  em: EntityManager,
  customers: ReadonlyMap<string, CustomerView>,
): Promise<Map<string, Date>> {
  const clockIds = [...customers.values()].flatMap(({ customer }) => customer.testClockId ?? []);
  const clocks = clockIds.length === 0 ? [] : await em.find(TestClockEntity, { id: { $in: [...new Set(clockIds)] } });
  const frozen = new Map(clocks.map((clock) => [clock.id, clock.frozenAt]));
  const wall = new Date();
  return new Map([...customers].map(([id, { customer }]) => [id, frozen.get(customer.testClockId ?? '') ?? wall]));
}

// Most subscriptions have never changed their plan: for them it is one query that finds nothing.
async function neighboursOf(em: EntityManager, subscriptions: readonly SubscriptionRow[]) {
  const previousIds = subscriptions.flatMap((one) => one.previousSubscriptionId ?? []);
  const rows = await em.find(SubscriptionEntity, {
    $or: [
      { id: { $in: previousIds } },
      { previousSubscriptionId: { $in: subscriptions.map(({ id }) => id) }, status: { $ne: 'canceled' } },
    ],
  });
  const plans = await em.find(PlanEntity, { id: { $in: [...new Set(rows.map(({ planId }) => planId))] } });
  const codes = new Map(plans.map(({ id, code }) => [id, code]));
  const neighbour = (row: SubscriptionRow): Neighbour => ({ planCode: codes.get(row.planId)!, status: row.status });
  return {
    byId: new Map(rows.map((row) => [row.id, neighbour(row)])),
    byPrevious: new Map(rows.map((row) => [row.previousSubscriptionId ?? '', neighbour(row)])),
  };
}
