import { z } from 'zod';
import { type PlanView, subscriptionPlanViews } from '../catalog/index.js';
import type { Database } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { SubscriptionEntity } from './subscription.entity.js';

/** Which one of an external id is meant; the living one unless said otherwise, of those that are over the newest. */
export const oneOfQuery = z.object({
  subscription_status: z.enum(['pending', 'active', 'terminated', 'canceled']).default('active'),
});

/** The same of a change: what is over changes no more. */
export const livingOneQuery = z.object({ subscription_status: z.enum(['pending', 'active']).default('active') });

/** The plan of a subscription as it has it. @throws 404 `subscription_not_found` */
export function readPlanOf(
  database: Database,
  organizationId: string,
  externalId: string,
  { subscription_status: status }: z.infer<typeof oneOfQuery>,
): Promise<PlanView> {
  return database.tenant(organizationId, async (em) => {
    const found = await em.findOne(
      SubscriptionEntity,
      { organizationId, externalId, status },
      { orderBy: { ordinal: 'desc' } },
    );
    if (found === null) throw notFound('subscription');
    return (await subscriptionPlanViews(em, organizationId, [found])).get(found.id)!;
  });
}
