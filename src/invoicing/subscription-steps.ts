import { loadSubscriptionPlan, type RatedPlan } from '../catalog/rated-plan.js';
import { periodContaining } from '../domain/calendar/billing-calendar.js';
import { instant } from '../domain/calendar/instant.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { DueKind } from '../domain/subscriptions/due-moments.js';
import type { UsageReader } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { clampedStart, successorOf } from '../subscriptions/life.js';
import {
  billingCalendarOf,
  boundaryAfter,
  endInstant,
  firstStart,
  fixedChargesInAdvance,
  renewsUsage,
  trialEnd,
} from '../subscriptions/lifecycle.js';
import { takeOver } from '../subscriptions/plan-change.js';
import { scheduleNext } from '../subscriptions/schedule.js';
import { SubscriptionPauseEntity } from '../subscriptions/subscription-pause.entity.js';
import { SubscriptionEntity, type SubscriptionRow } from '../subscriptions/subscription.entity.js';
import type { BillingContext } from './billing-context.js';
import { BillingPeriodEntity } from './billing-period.entity.js';
import { storedCutoff } from './cutoff.js';
import { FeeEntity } from './fee.entity.js';
import type { BillingGroup } from './invoice-composition.js';
import { billSubscription, type BillingStep, PERIODIC_GROUP } from './subscription-billing.js';
import { creditUnusedTime } from './unused-time.js';

/** What a step of a subscription knows inside its one transaction. */
export interface SubscriptionStep {
  readonly em: EntityManager;
  readonly reader: UsageReader;
  readonly at: Date;
  readonly subscription: SubscriptionRow;
  readonly plan: RatedPlan;
  readonly context: BillingContext;
  readonly partition: number;
}

/** What a step billed, to be composed when its siblings are done, and the moments that it gave to other workflows. */
export interface Billed {
  readonly group: BillingGroup;
  readonly moments: readonly DueMomentRow[];
}

/**
 * Does what is due of a subscription at an instant: the one path of a subscription's workflow and of previews. The caller
 * moves the record on and composes what was billed. Null when nothing was.
 */
export async function performStep(kind: DueKind, step: SubscriptionStep): Promise<Billed | null> {
  switch (kind) {
    case 'activation':
      return activate(step);
    case 'starting':
      return bill(step, 'subscription_starting', 'start');
    case 'trial_end':
      return endTrial(step);
    case 'period_end':
      return bill(step, 'subscription_periodic', 'period');
    case 'units_change':
      return billUnitsChange(step);
    case 'pause':
      return pause(step);
    case 'resume':
      return resume(step);
    case 'plan_change':
      return changePlan(step);
    case 'ending':
      return end(step);
  }
}

async function bill(
  { em, reader, context, subscription, plan, partition, at }: SubscriptionStep,
  reason: BillingStep['reason'],
  covers: BillingStep['covers'],
  how: Pick<BillingStep, 'group' | 'endedByUpgrade' | 'pausedAt'> = {},
): Promise<Billed> {
  const cutoffSequence = await storedCutoff(em, partition);
  const group = await billSubscription({
    ...{ em, reader, context, subscription, plan, reason, covers, partition, cutoffSequence },
    ...how,
    billingAt: at,
  });
  return { group, moments: [] };
}

async function activate({ em, subscription, plan, at }: SubscriptionStep): Promise<null> {
  const former = await em.find(SubscriptionEntity, {
    organizationId: subscription.organizationId,
    externalId: subscription.externalId,
    id: { $ne: subscription.id },
  });
  subscription.status = 'active';
  subscription.startedAt = clampedStart(at, former);
  subscription.trialEndsAt = trialEnd(firstStart(former) ?? subscription.startedAt, plan.plan.trialDays);
  subscription.updatedAt = at;
  return null;
}

// Several changes of one instant of a test clock have an invoice each.
async function billUnitsChange(step: SubscriptionStep): Promise<Billed> {
  const { em, subscription, at } = step;
  const [, ...left] = subscription.unitChangesDue ?? [];
  subscription.unitChangesDue = left.length === 0 ? null : left;
  const earlier = await em.count(BillingPeriodEntity, { subscriptionId: subscription.id, billingAt: at });
  return bill(step, 'in_advance_charge', 'units_change', { group: `units_change/${subscription.id}/${earlier}` });
}

async function endTrial(step: SubscriptionStep): Promise<Billed | null> {
  const { subscription, plan, at } = step;
  subscription.trialEndedAt = at;
  // On a boundary the period that begins is billed by its own close, a moment later.
  return plan.plan.payInAdvance && !onBoundary(step) ? bill(step, 'subscription_starting', 'trial_end') : null;
}

/**
 * Two plans on one document: what the old one still owes up to here, and what the new one asks for in advance. A downgrade
 * closes the old plan's period on its bound, with all that is closed there; an upgrade is an event of its own.
 */
async function changePlan(step: SubscriptionStep): Promise<Billed> {
  const { em, subscription: old, at, context } = step;
  const upgrade = old.nextPlanAtOnce;
  const wasPending = (await successorOf(em, old))?.status === 'pending';
  const next = await takeOver(em, old, at, at);
  const plan = await loadSubscriptionPlan(em, next);
  const group = upgrade ? `plan_change/${old.id}` : PERIODIC_GROUP;
  const billed = await bill(step, 'subscription_terminating', upgrade ? 'end' : 'end_on_boundary', {
    group,
    endedByUpgrade: upgrade,
  });
  const inTrial = next.trialEndsAt != null && next.trialEndsAt > at;
  if ((plan.plan.payInAdvance && !inTrial) || fixedChargesInAdvance(plan) || (!upgrade && renewsUsage(plan))) {
    await bill({ ...step, subscription: next, plan }, 'subscription_starting', 'start', { group });
  }
  if (upgrade) {
    await creditUnusedTime({ em, context, subscription: old, at, endedByUpgrade: true, mode: 'credit' });
  }
  return { ...billed, moments: wasPending ? await scheduleNext(em, next, plan, context) : [] };
}

/** What is owed up to here, and what was paid for the time after it; the day itself goes with the pause. */
async function pause(step: SubscriptionStep): Promise<Billed | null> {
  const { em, subscription, context, at } = step;
  const group = await pauseGroup(step);
  const billed = await bill(step, 'subscription_terminating', 'end', { group, endedByUpgrade: true });
  await creditUnusedTime({ em, context, subscription, at, endedByUpgrade: true, mode: 'credit' });
  // A life that goes on needs no document of nothing; late usage could still fill one that is a draft for a while.
  return context.graceDays === 0 && !(await owesAnything(step, billed)) ? null : billed;
}

/** Like a start, for what is left of the period in which it happens. */
async function resume(step: SubscriptionStep): Promise<Billed | null> {
  const { subscription, at } = step;
  const group = await pauseGroup(step);
  const { pausedAt = null } = subscription;
  subscription.resumedAt = at;
  subscription.pausedAt = null;
  subscription.resumeAt = null;
  subscription.updatedAt = at;
  const trialEndsAt = subscription.trialEndsAt ?? null;
  if (trialEndsAt !== null && trialEndsAt <= at) subscription.trialEndedAt ??= trialEndsAt;
  const billed = await bill(step, 'subscription_starting', 'resume', { group, pausedAt });
  return (await owesAnything(step, billed)) ? billed : null;
}

async function owesAnything({ em, subscription, at }: SubscriptionStep, { group }: Billed): Promise<boolean> {
  const step = { subscriptionId: subscription.id, billingAt: at, billingGroup: group.billingGroup };
  const { id } = await em.findOneOrFail(BillingPeriodEntity, step);
  return (await em.count(FeeEntity, { billingPeriodId: id, invoiceable: true })) > 0;
}

// Each pause bills for itself, even two of one instant.
async function pauseGroup({ em, subscription }: SubscriptionStep): Promise<string> {
  return `pause/${subscription.id}/${await em.count(SubscriptionPauseEntity, { subscriptionId: subscription.id })}`;
}

async function end(step: SubscriptionStep): Promise<Billed | null> {
  const { em, subscription, plan, context, at } = step;
  if (subscription.status === 'canceled') return null;
  const paused = subscription.doneKind === 'pause';
  const closed = subscription.doneKind === 'period_end' && subscription.doneAt?.getTime() === at.getTime();
  const commanded = subscription.terminatedAt != null && !endsByItsDate(step);
  subscription.status = 'terminated';
  subscription.terminatedAt ??= at;
  subscription.updatedAt = at;
  await cancelWhatFollows(step);
  // All that was owed was billed by the pause.
  if (subscription.startedAt == null || paused) return null;
  if (plan.plan.payInAdvance) subscription.onTerminationCreditNote ??= 'credit';
  const started = subscription.startedAt.getTime() === at.getTime();
  const billed =
    subscription.onTerminationInvoice === 'skip'
      ? null
      : // Ended by its own date on a boundary: that period is closed here. A command on the boundary comes after its close.
        await bill(
          step,
          'subscription_terminating',
          onAnyBoundary(step) && !closed && !started && !commanded ? 'end_on_boundary' : 'end',
        );
  const mode = subscription.onTerminationCreditNote ?? 'credit';
  await creditUnusedTime({ em, context, subscription, at, endedByUpgrade: false, mode });
  return billed;
}

// Its end came before the bound at which another plan was to take over.
async function cancelWhatFollows({ em, subscription, at }: SubscriptionStep): Promise<void> {
  const next = await successorOf(em, subscription);
  if (next?.status !== 'pending') return;
  next.status = 'canceled';
  next.canceledAt = at;
  next.updatedAt = at;
  subscription.nextPlanAt = null;
}

/** Whether the step falls on a bound of the plan's periods. */
function onBoundary({ subscription, plan, context, at }: SubscriptionStep): boolean {
  const calendar = billingCalendarOf(subscription, plan.plan, context.zone);
  return periodContaining(calendar, instant(at.getTime())).from === at.getTime();
}

/** Whether something is closed here: a period of the plan, or a month of it. */
function onAnyBoundary({ subscription, plan, context, at }: SubscriptionStep): boolean {
  return boundaryAfter(subscription, plan, context.zone)(at.getTime() - 1) === at.getTime();
}

/** Whether it ends here because its `ending_at` says so; a command may have been the first to notice. */
function endsByItsDate({ subscription, context, at }: SubscriptionStep): boolean {
  return subscription.endingAt != null && endInstant(subscription.endingAt, context.zone) === at.getTime();
}
