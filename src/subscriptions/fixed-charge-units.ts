import { randomUUID } from 'node:crypto';
import { FixedChargeUnits, type UnitsChange } from '../catalog/index.js';
import {
  FixedChargeUnitChangeEntity,
  type FixedChargeUnitChangeRow,
} from '../catalog/fixed-charge-unit-change.entity.js';
import { loadSubscriptionPlan, type RatedPlan } from '../catalog/rated-plan.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import { monthly, nextBoundaryAfter } from '../domain/calendar/billing-calendar.js';
import { instant } from '../domain/calendar/instant.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import { lockDueMoment, type Waker } from '../due-moments/due-moments.js';
import type { EntityManager } from '../platform/database/database.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { billingCalendarOf } from './lifecycle.js';
import { type Household, scheduleNext, zoneOf } from './schedule.js';
import { SubscriptionEntity, type SubscriptionRow } from './subscription.entity.js';

/** Edits of a plan that change units reach each of its subscriptions on the subscription's own clock and calendar. */
export class FixedChargeUnitsOfSubscriptions extends FixedChargeUnits {
  constructor(private readonly waker: Waker) {
    super();
  }

  async changed(
    em: EntityManager,
    organizationId: string,
    changes: ReadonlyMap<string, readonly UnitsChange[]>,
  ): Promise<() => Promise<void>> {
    const subscriptions = await em.find(
      SubscriptionEntity,
      { organizationId, id: { $in: [...changes.keys()] }, status: 'active' },
      { orderBy: { id: 'asc' } },
    );
    const due: DueMomentRow[] = [];
    for (const subscription of subscriptions) {
      const customer = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
      const zone = await zoneOf(em, organizationId, customer);
      const household = { customer, zone, now: await presentOn(em, customer.testClockId) };
      due.push(...(await changeUnits(em, subscription, household, changes.get(subscription.id)!)));
    }
    return () => this.waker.wake(due);
  }
}

/**
 * Dates the new units of a subscription that has started: from now on, or from its next period on. The first record of a
 * fixed charge is preceded by what the subscription had from its start. What was to become of the units later is superseded.
 *
 * What is paid in advance and changes at once is still to be billed: the subscription has a due moment for it. The answer is
 * what its workflow is to be told, once committed.
 */
export async function changeUnits(
  em: EntityManager,
  subscription: SubscriptionRow,
  household: Household,
  changes: readonly UnitsChange[],
): Promise<DueMomentRow[]> {
  if (subscription.startedAt == null || changes.length === 0) return [];
  const { id: subscriptionId, organizationId, startedAt } = subscription;
  const plan = await loadSubscriptionPlan(em, subscription);
  const { now } = household;
  // Two changes at one instant of a test clock: the later one on the wall holds.
  const createdAt = new Date();
  const next = nextFixedChargePeriod(subscription, plan, household);
  for (const { fixedChargeId, from, to, atOnce } of changes) {
    const effectiveAt = atOnce ? now : next;
    const one = { organizationId, subscriptionId, fixedChargeId };
    const recorded = await em.count(FixedChargeUnitChangeEntity, one);
    if (recorded === 0)
      record(em, { ...one, units: from ?? '0', effectiveAt: startedAt, createdAt: earlier(createdAt) });
    else await em.nativeDelete(FixedChargeUnitChangeEntity, { ...one, effectiveAt: { $gte: effectiveAt, $gt: now } });
    record(em, { ...one, units: to, effectiveAt, createdAt });
  }
  await em.flush();
  if (!changes.some(({ atOnce, payInAdvance }) => atOnce && payInAdvance)) return [];
  await lockDueMoment(em, 'subscription', subscriptionId);
  await em.refresh(subscription);
  subscription.unitChangesDue = [...(subscription.unitChangesDue ?? []), now.toISOString()];
  await em.flush();
  return scheduleNext(em, subscription, plan, household);
}

/** Units that wait for the next period wait for the start that it has in another time zone. */
export async function moveUnitChanges(
  em: EntityManager,
  subscription: SubscriptionRow,
  plan: RatedPlan,
  { zone, now }: Pick<Household, 'zone' | 'now'>,
): Promise<void> {
  const effectiveAt = nextFixedChargePeriod(subscription, plan, { zone, now });
  await em.nativeUpdate(
    FixedChargeUnitChangeEntity,
    { subscriptionId: subscription.id, effectiveAt: { $gt: now } },
    { effectiveAt },
  );
}

function earlier(at: Date): Date {
  return new Date(at.getTime() - 1);
}

function record(em: EntityManager, change: Omit<FixedChargeUnitChangeRow, 'id'>): void {
  em.create(FixedChargeUnitChangeEntity, { id: randomUUID(), ...change });
}

/** The start of the next period in which fixed charges are billed. */
function nextFixedChargePeriod(
  subscription: SubscriptionRow,
  { plan }: RatedPlan,
  { zone, now }: Pick<Household, 'zone' | 'now'>,
): Date {
  const calendar = billingCalendarOf(subscription, plan, zone);
  const isSplit =
    plan.billFixedChargesMonthly === true && (plan.interval === 'yearly' || plan.interval === 'semiannual');
  return new Date(nextBoundaryAfter(isSplit ? monthly(calendar) : calendar, instant(now.getTime())));
}
