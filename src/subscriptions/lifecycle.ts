import {
  type BillingCalendar,
  type BillingInterval,
  monthly,
  nextBoundaryAfter,
} from '../domain/calendar/billing-calendar.js';
import { DAY, instant, type Instant } from '../domain/calendar/instant.js';
import { toIsoDate } from '../domain/calendar/local-date.js';
import { localDate, startOfLocalDay, type TimeZone } from '../domain/calendar/time-zone.js';
import {
  type DueKind,
  type DueMoment,
  nextDueMoment,
  type Progress,
  type SubscriptionFacts,
} from '../domain/subscriptions/due-moments.js';
import type { PlanRow } from '../catalog/plan.entity.js';
import type { SubscriptionRow } from './subscription.entity.js';

type PlanTerms = Pick<PlanRow, 'interval' | 'payInAdvance' | 'billChargesMonthly' | 'trialPeriod'>;

/** The sequence of billing periods of a subscription in the zone of its customer. */
export function billingCalendarOf(
  subscription: Pick<SubscriptionRow, 'billingTime' | 'subscriptionAt'>,
  plan: Pick<PlanRow, 'interval'>,
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
export function nextDueOf(subscription: SubscriptionRow, plan: PlanTerms, zone: TimeZone): DueMoment | null {
  const calendar = billingCalendarOf(subscription, plan, zone);
  const splits = plan.billChargesMonthly === true && (plan.interval === 'yearly' || plan.interval === 'semiannual');
  const nextBoundary = (after: number): number => {
    const boundary = nextBoundaryAfter(calendar, instant(after));
    return splits ? Math.min(boundary, nextBoundaryAfter(monthly(calendar), instant(after))) : boundary;
  };
  return nextDueMoment(factsOf(subscription, plan, zone), progressOf(subscription), nextBoundary);
}

/** End of the trial: days, possibly a fraction, from the first start. Null without a trial. */
export function trialEnd(startedAt: Date, trialPeriod: string | null | undefined): Date | null {
  const days = Number(trialPeriod ?? 0);
  return days > 0 ? new Date(startedAt.getTime() + Math.round(days * DAY)) : null;
}

/** A subscription ends when the local day of `ending_at` begins. */
export function endInstant(endingAt: Date, zone: TimeZone): Instant {
  return startOfLocalDay(localDate(instant(endingAt.getTime()), zone), zone);
}

function factsOf(subscription: SubscriptionRow, plan: PlanTerms, zone: TimeZone): SubscriptionFacts {
  const startedAt = subscription.startedAt?.getTime() ?? null;
  return {
    status: subscription.status,
    subscriptionAt: subscription.subscriptionAt.getTime(),
    startedAt,
    createdAt: subscription.createdAt.getTime(),
    backdated: startedAt !== null && localDayOf(startedAt, zone) < localDayOf(subscription.createdAt.getTime(), zone),
    endsAt: subscription.endingAt == null ? null : endInstant(subscription.endingAt, zone),
    payInAdvance: plan.payInAdvance,
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
