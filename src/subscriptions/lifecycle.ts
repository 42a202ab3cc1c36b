import {
  type BillingCalendar,
  type BillingInterval,
  monthly,
  nextBoundaryAfter,
  periodContaining,
} from '../domain/calendar/billing-calendar.js';
import { movedBound } from '../domain/calendar/moved-bound.js';
import type { Period } from '../domain/calendar/period.js';
import { DAY, instant, type Instant } from '../domain/calendar/instant.js';
import { toIsoDate } from '../domain/calendar/local-date.js';
import { localDate, startOfLocalDay, type TimeZone } from '../domain/calendar/time-zone.js';
import {
  type DueKind,
  type DueMoment,
  type NextBoundary,
  nextClose,
  nextDueMoment,
  type Progress,
  type SubscriptionFacts,
} from '../domain/subscriptions/due-moments.js';
import type { RatedPlan } from '../catalog/rated-plan.js';
import type { SubscriptionRow } from './subscription.entity.js';

/** The sequence of billing periods of a subscription in the zone of its customer. */
export function billingCalendarOf(
  subscription: Pick<SubscriptionRow, 'billingTime' | 'subscriptionAt'>,
  plan: { readonly interval: string },
  zone: TimeZone,
): BillingCalendar {
  return {
    interval: plan.interval as BillingInterval,
    billingTime: subscription.billingTime,
    subscriptionAt: instant(subscription.subscriptionAt.getTime()),
    zone,
  };
}

/** What comes next for this subscription, from the record alone. */
export function nextDueOf(subscription: SubscriptionRow, rated: RatedPlan, zone: TimeZone): DueMoment | null {
  return nextDueMoment(
    factsOf(subscription, rated, zone),
    progressOf(subscription),
    boundaryAfter(subscription, rated, zone),
  );
}

/**
 * The period that is running, as it is in another zone: it begins and ends where it would have there.
 *
 * Example: February of UTC in Los Angeles -> 1 February 08:00Z to 1 March 08:00Z.
 */
export function runningPeriodIn(
  subscription: SubscriptionRow & { readonly startedAt: Date },
  rated: RatedPlan,
  zones: { readonly from: TimeZone; readonly to: TimeZone },
): Period {
  const facts = factsOf(subscription, rated, zones.from);
  const bounds = boundaryAfter(subscription, rated, zones.from);
  const end = nextClose(facts, subscription.startedAt.getTime(), progressOf(subscription), bounds);
  const calendar = boundCalendarOf(subscription, rated, zones.to);
  return periodContaining(calendar, instant(movedBound(calendar, instant(end)) - 1));
}

/** The first bound after an instant: of the plan's periods, or of its months where something is billed by months. */
export function boundaryAfter(
  subscription: Pick<SubscriptionRow, 'billingTime' | 'subscriptionAt'>,
  rated: RatedPlan,
  zone: TimeZone,
): NextBoundary {
  const calendar = billingCalendarOf(subscription, rated.plan, zone);
  const bounds = boundCalendarOf(subscription, rated, zone);
  return (after) => Math.min(nextBoundaryAfter(calendar, instant(after)), nextBoundaryAfter(bounds, instant(after)));
}

/** The calendar of what is closed: the plan's, or its months where something is billed by months. */
function boundCalendarOf(
  subscription: Pick<SubscriptionRow, 'billingTime' | 'subscriptionAt'>,
  { plan }: RatedPlan,
  zone: TimeZone,
): BillingCalendar {
  const calendar = billingCalendarOf(subscription, plan, zone);
  const monthlyParts = plan.billChargesMonthly || (plan.billFixedChargesMonthly ?? false);
  const splits = monthlyParts && (plan.interval === 'yearly' || plan.interval === 'semiannual');
  return splits ? monthly(calendar) : calendar;
}

/** Whether something of the plan is due when a life on it begins, whatever becomes of its trial. */
export function fixedChargesInAdvance(plan: RatedPlan): boolean {
  return plan.fixedCharges.some(({ fixedCharge }) => fixedCharge.payInAdvance);
}

/** The oldest change of units that is still to be billed. */
function oldestUnitsChange({ unitChangesDue }: Pick<SubscriptionRow, 'unitChangesDue'>): number | null {
  const [oldest] = unitChangesDue ?? [];
  return oldest === undefined ? null : Date.parse(oldest);
}

/** Whether recurring usage is paid in advance: a life that goes on into a new period on this plan pays for it there. */
export function renewsUsage(plan: RatedPlan): boolean {
  return plan.charges.some(({ charge }) => charge.payInAdvance && charge.metric.recurring);
}

/** The start of the period after the one that is running: when a plan that costs less takes over. */
export function nextPeriodStart(
  subscription: Pick<SubscriptionRow, 'billingTime' | 'subscriptionAt'>,
  plan: { readonly interval: string },
  zone: TimeZone,
  now: Date,
): Date {
  return new Date(nextBoundaryAfter(billingCalendarOf(subscription, plan, zone), instant(now.getTime())));
}

/** Where what is billed of a subscription begins: with its start, or after its last pause. */
export function billedFrom({ startedAt, resumedAt }: Pick<SubscriptionRow, 'startedAt' | 'resumedAt'>): Date | null {
  return resumedAt ?? startedAt ?? null;
}

/** Whether it stands still at this instant, also before the step of the pause or after that of the resumption is done. */
export function isPaused({ status, pausedAt, resumeAt }: SubscriptionRow, now: Date): boolean {
  return status === 'active' && pausedAt != null && pausedAt <= now && (resumeAt == null || resumeAt > now);
}

/** First start among the subscriptions that bore this external id: a trial is given once. */
export function firstStart(former: readonly SubscriptionRow[]): Date | null {
  const starts = former.flatMap((one) => (one.startedAt == null ? [] : [one.startedAt.getTime()]));
  return starts.length === 0 ? null : new Date(Math.min(...starts));
}

/** End of the trial: days, possibly a fraction, from the first start. Null without a trial. */
export function trialEnd(startedAt: Date, days: number): Date | null {
  return days > 0 ? new Date(startedAt.getTime() + Math.round(days * DAY)) : null;
}

/** A subscription ends when the local day of `ending_at` begins. */
export function endInstant(endingAt: Date, zone: TimeZone): Instant {
  return startOfLocalDay(localDate(instant(endingAt.getTime()), zone), zone);
}

function factsOf(subscription: SubscriptionRow, rated: RatedPlan, zone: TimeZone): SubscriptionFacts {
  const startedAt = subscription.startedAt?.getTime() ?? null;
  return {
    status: subscription.status,
    subscriptionAt: subscription.subscriptionAt.getTime(),
    startedAt,
    createdAt: subscription.createdAt.getTime(),
    backdated: startedAt !== null && localDayOf(startedAt, zone) < localDayOf(subscription.createdAt.getTime(), zone),
    endsAt: subscription.endingAt == null ? null : endInstant(subscription.endingAt, zone),
    succeeds: subscription.previousSubscriptionId != null,
    endedAt: (subscription.terminatedAt ?? subscription.canceledAt)?.getTime() ?? null,
    nextPlan:
      subscription.nextPlanAt == null
        ? null
        : { at: subscription.nextPlanAt.getTime(), atOnce: subscription.nextPlanAtOnce },
    pause:
      subscription.pausedAt == null
        ? null
        : { at: subscription.pausedAt.getTime(), resumesAt: subscription.resumeAt?.getTime() ?? null },
    resumedAt: subscription.resumedAt?.getTime() ?? null,
    closedThrough: subscription.closedThroughAt?.getTime() ?? null,
    payInAdvance: rated.plan.payInAdvance,
    fixedChargesInAdvance: fixedChargesInAdvance(rated),
    unitsChangedAt: oldestUnitsChange(subscription),
    trialEndsAt: subscription.trialEndsAt?.getTime() ?? null,
  };
}

function progressOf(subscription: SubscriptionRow): Progress {
  if (subscription.doneKind == null || subscription.doneAt == null) return null;
  return { kind: subscription.doneKind as DueKind, at: subscription.doneAt.getTime() };
}

function localDayOf(at: number, zone: TimeZone): string {
  return toIsoDate(localDate(instant(at), zone));
}
