import {
  daysOf,
  monthly,
  periodContaining,
  previousPeriod,
  type BillingCalendar,
  type BillingInterval,
  type BillingTime,
} from './billing-calendar.js';
import { earlier, later, plus, SECOND, type Instant } from './instant.js';
import { contains, type Period } from './period.js';
import { localDate, startOfLocalDay, type TimeZone } from './time-zone.js';

/** What decides the boundaries of one billing of a subscription. */
export interface BillingSituation {
  readonly interval: BillingInterval;
  readonly billingTime: BillingTime;
  readonly payInAdvance: boolean;
  readonly zone: TimeZone;
  readonly subscriptionAt: Instant;
  /** `null` while pending: then there is nothing to bill. */
  readonly startedAt: Instant | null;
  readonly terminatedAt?: Instant | null;
  /** The nominal instant of the billing: the period's bound or the termination, not the time a clock happens to show. */
  readonly billingAt: Instant;
  /** Ask for the period that is running at `billingAt` instead of the one that is billed then. */
  readonly currentUsage?: boolean;
  /** Only meaningful on semiannual and yearly plans. */
  readonly billChargesMonthly?: boolean;
  readonly billFixedChargesMonthly?: boolean;
  /** The last invoice of this subscription, when it was cut in another zone than today's. */
  readonly previousInvoice?: {
    readonly zone: TimeZone;
    /** Exclusive ends of what it billed. */
    readonly chargesTo?: Instant | null;
    readonly fixedChargesTo?: Instant | null;
  } | null;
}

/**
 * A part of time that is billed. Half-open like a period, but it may be void (`to <= from`): the first invoice of a plan
 * paid in advance has no past usage, and a subscription ended just before a bound has nothing after it.
 */
export interface BilledSpan {
  readonly kind: 'billed-span';
  readonly from: Instant;
  readonly to: Instant;
  /** The full period this is a part of. */
  readonly period: Period;
  /** Its length in days: what the price of a full period is divided by. */
  readonly periodDays: number;
}

export interface BillingBoundaries {
  /** The time the subscription fee is for. */
  readonly subscription: BilledSpan | null;
  /** The time whose usage is billed. */
  readonly charges: BilledSpan | null;
  readonly fixedCharges: BilledSpan | null;
  /** The period running at `billingAt`, whatever is billed. */
  readonly running: Period;
  readonly previous: Period;
}

/**
 * The boundaries of one billing (reference 2.6).
 *
 * - In arrears the period before the bound is billed. In advance the fee is for the period that starts, usage for the
 *   one before. At a termination both are for the period that is running.
 * - The fee starts no earlier than the local day of `startedAt`, usage no earlier than `startedAt` itself; both end no
 *   later than the termination, whose own instant still belongs to them.
 * - On semiannual and yearly plans one kind of charge may be billed monthly; the other one is then billed only at the
 *   start of the plan's period, and is `null` in the months between.
 */
export function billingBoundaries(situation: BillingSituation): BillingBoundaries {
  const calendar: BillingCalendar = situation;
  const running = periodContaining(calendar, situation.billingAt);
  const previous = previousPeriod(calendar, running);
  const started = situation.startedAt;
  if (started === null) return { subscription: null, charges: null, fixedCharges: null, running, previous };

  return {
    subscription: subscriptionSpan(situation, calendar, started, running, previous),
    charges: usageSpan(situation, calendar, started, {
      monthly: situation.billChargesMonthly ?? false,
      otherIsMonthly: situation.billFixedChargesMonthly ?? false,
      previousTo: situation.previousInvoice?.chargesTo,
    }),
    fixedCharges: usageSpan(situation, calendar, started, {
      monthly: situation.billFixedChargesMonthly ?? false,
      otherIsMonthly: situation.billChargesMonthly ?? false,
      previousTo: situation.previousInvoice?.fixedChargesTo,
    }),
    running,
    previous,
  };
}

/** Whether a span has any time in it. */
export function isVoid(span: BilledSpan): boolean {
  return span.to <= span.from;
}

function subscriptionSpan(
  situation: BillingSituation,
  calendar: BillingCalendar,
  started: Instant,
  running: Period,
  previous: Period,
): BilledSpan {
  const billsRunning = situation.payInAdvance || situation.currentUsage || isTerminated(situation);
  const full = billsRunning ? running : previous;
  const firstDay = startOfLocalDay(localDate(started, situation.zone), situation.zone);
  return span(calendar, full, later(full.from, firstDay), endOf(situation, full));
}

interface UsageKind {
  readonly monthly: boolean;
  readonly otherIsMonthly: boolean;
  readonly previousTo: Instant | null | undefined;
}

function usageSpan(
  situation: BillingSituation,
  planCalendar: BillingCalendar,
  started: Instant,
  kind: UsageKind,
): BilledSpan | null {
  const splits = situation.interval === 'semiannual' || situation.interval === 'yearly';
  const calendar = splits && kind.monthly ? monthly(planCalendar) : planCalendar;
  const billsRunning = situation.currentUsage || isTerminated(situation);
  if (splits && kind.otherIsMonthly && !kind.monthly && !billsRunning && !isFirstMonth(situation, planCalendar)) {
    return null;
  }
  const running = periodContaining(calendar, situation.billingAt);
  const full = billsRunning ? running : previousPeriod(calendar, running);
  const from = later(continued(situation, full.from, kind.previousTo), started);
  return span(calendar, full, from, endOf(situation, full));
}

/** Usage that is not split is billed with the first month of the plan's period only. */
function isFirstMonth(situation: BillingSituation, calendar: BillingCalendar): boolean {
  const planPeriod = periodContaining(calendar, situation.billingAt);
  return contains(periodContaining(monthly(calendar), planPeriod.from), situation.billingAt);
}

// No two places on earth are further apart than this, so a larger distance is another period, not another zone.
const WIDEST_ZONE_CHANGE = 26 * 3600 * SECOND;

/** After a change of zone, usage continues where the last invoice stopped: no event is billed twice or never. */
function continued(situation: BillingSituation, from: Instant, previousTo: Instant | null | undefined): Instant {
  if (previousTo == null || situation.previousInvoice?.zone === situation.zone) return from;
  return Math.abs(from - previousTo) < WIDEST_ZONE_CHANGE ? previousTo : from;
}

function isTerminated(situation: BillingSituation): boolean {
  return situation.terminatedAt != null && situation.terminatedAt <= situation.billingAt;
}

function endOf(situation: BillingSituation, full: Period): Instant {
  if (situation.terminatedAt == null || !isTerminated(situation)) return full.to;
  return earlier(full.to, plus(situation.terminatedAt, 1));
}

function span(calendar: BillingCalendar, full: Period, from: Instant, to: Instant): BilledSpan {
  return { kind: 'billed-span', from, to, period: full, periodDays: daysOf(calendar, full) };
}
