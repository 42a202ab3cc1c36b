import { CustomerEntity } from '../customers/index.js';
import { invariant } from '../domain/invariant.js';
import type { EntityManager } from '../platform/database/database.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import type { FeeView } from './fee.mapping.js';

/** Adds what the JSON of a fee shows of its customer and subscription, in three queries for all. */
export async function feeViews(em: EntityManager, fees: readonly FeeRow[]): Promise<FeeView[]> {
  const customers = await em.find(CustomerEntity, { id: { $in: [...new Set(fees.map((fee) => fee.customerId))] } });
  const subscriptions = await em.find(SubscriptionEntity, {
    id: { $in: [...new Set(fees.flatMap((fee) => fee.subscriptionId ?? []))] },
  });
  const trueUps = await em.find(FeeEntity, { trueUpParentFeeId: { $in: fees.map((fee) => fee.id) } });
  const trueUpIds = new Map(trueUps.map((trueUp) => [trueUp.trueUpParentFeeId, trueUp.id]));
  const customerById = new Map(customers.map((customer) => [customer.id, customer]));
  const externalIds = new Map(subscriptions.map(({ id, externalId }) => [id, externalId]));
  return fees.map((fee) => {
    const customer = customerById.get(fee.customerId);
    invariant(customer, `fee ${fee.id} has a customer`);
    const externalSubscriptionId = externalIds.get(fee.subscriptionId ?? '') ?? null;
    return { fee, customer, externalSubscriptionId, trueUpFeeId: trueUpIds.get(fee.id) ?? null };
  });
}
