import { loadSubscriptionPlan } from '../catalog/rated-plan.js';
import type { CustomerRow } from '../customers/customer.entity.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { moveUnitChanges } from './fixed-charge-units.js';
import { lockedLife } from './life.js';
import { nextPeriodStart, runningPeriodIn } from './lifecycle.js';
import { scheduleNext } from './schedule.js';
import { SubscriptionEntity } from './subscription.entity.js';

/**
 * A customer lives in another time zone from now on: the bounds to come are those of the new zone (lago-api.md 2.6). To be
 * called in the transaction that stores the zone; the answer is what the workflows are to be told once it is committed.
 *
 * What was closed stays closed, usage goes on where it stopped, and the running period ends on the new zone's bound, some
 * hours earlier or later. A change of plan or of units that waits for that bound waits for the new one.
 */
export async function moveSubscriptions(
  em: EntityManager,
  customer: CustomerRow,
  zones: { readonly from: string; readonly to: string },
): Promise<DueMomentRow[]> {
  const { id: customerId, organizationId } = customer;
  const now = await presentOn(em, customer.testClockId);
  const living = await em.find(
    SubscriptionEntity,
    { customerId, status: 'active' },
    { orderBy: { externalId: 'asc' } },
  );
  const due: DueMomentRow[] = [];
  for (const { externalId } of living) {
    const { active } = await lockedLife(em, organizationId, externalId);
    if (active?.startedAt == null) continue;
    const plan = await loadSubscriptionPlan(em, active);
    const period = runningPeriodIn({ ...active, startedAt: active.startedAt }, plan, zones);
    const inside = { zone: zones.to, now: new Date(Math.max(now.getTime(), period.from)) };
    active.closedThroughAt = new Date(period.from);
    if (active.nextPlanAt != null && !active.nextPlanAtOnce) {
      active.nextPlanAt = nextPeriodStart(active, plan.plan, inside.zone, inside.now);
    }
    active.updatedAt = now;
    await em.flush();
    await moveUnitChanges(em, active, plan, inside);
    due.push(...(await scheduleNext(em, active, plan, { customer, zone: zones.to })));
  }
  return due;
}
