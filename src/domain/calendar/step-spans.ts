import { billingBoundaries, type BilledSpan, type BillingSituation, isVoid } from './billing-boundaries.js';
import { type BillingCalendar, daysOf, monthly, periodContaining } from './billing-calendar.js';
import { type Instant, later, plus } from './instant.js';
import { lastInstant, type Period } from './period.js';
import { localDate, startOfLocalDay } from './time-zone.js';

/**
 * What of a subscription's time a step bills:
 *
 * - `start`: what is paid in advance of the period in which it starts.
 * - `trial_end`: the plan's fee in advance for the rest of the period in which the trial ends.
 * - `period`: at a bound. The usage of the period before, and the plan's fee of that period or, in advance, of the next.
 * - `end`: what is left up to an instant inside a period. That instant belongs to it.
 * - `end_on_boundary`: the same when the end is a bound whose period nobody closed: the instant itself is not part of it.
 * - `resume`: like a start, at the end of a pause. What was paid for the period in which the pause began stays paid.
 * - `units_change`: units of fixed charges paid in advance that were added inside a period.
 */
export type StepKind = 'start' | 'trial_end' | 'period' | 'end' | 'end_on_boundary' | 'resume' | 'units_change';

export interface StepSituation extends Pick<
  BillingSituation,
  'interval' | 'billingTime' | 'payInAdvance' | 'zone' | 'subscriptionAt' | 'previousInvoice'
> {
  readonly kind: StepKind;
  readonly billingAt: Instant;
  readonly startedAt: Instant;
  readonly billChargesMonthly: boolean;
  readonly billFixedChargesMonthly: boolean;
  readonly trialEndsAt: Instant | null;
  /** `resume`: when the pause began. */
  readonly pausedAt?: Instant | null;
  /** It took over from another plan, whose recurring usage goes on in it. */
  readonly succeeds: boolean;
}

/** The spans a step bills. Null: nothing of this kind. Half-open and never void. */
export interface StepSpans {
  /** The plan's fee. */
  readonly fee: BilledSpan | null;
  /** Usage in arrears. */
  readonly charges: BilledSpan | null;
  /** The period for which recurring usage paid in advance is renewed. */
  readonly renewal: BilledSpan | null;
  /** Fixed charges in arrears. */
  readonly fixedCharges: BilledSpan | null;
  /** Fixed charges paid in advance. */
  readonly fixedChargesAhead: BilledSpan | null;
  /** From a change of their units on, at once. */
  readonly unitsChange: BilledSpan | null;
  /** The plan's period whose fees have to reach the commitment. */
  readonly commitment: BilledSpan | null;
}

/** Both ends as they are shown: the first and the last instant. */
export interface ShownSpan {
  readonly from: Instant;
  readonly to: Instant;
}

/** The boundaries that documents show of a step, whether or not anything is billed in them. */
export interface ShownBoundaries {
  readonly subscription: ShownSpan | null;
  readonly charges: ShownSpan | null;
  readonly fixedCharges: ShownSpan | null;
}

const NOTHING: StepSpans = {
  fee: null,
  charges: null,
  renewal: null,
  fixedCharges: null,
  fixedChargesAhead: null,
  unitsChange: null,
  commitment: null,
};

/**
 * Which fees a step bills for which time (reference 2.6): one place for all intervals, billing times, terms of payment and
 * splits into months. Each kind has its own sequence of periods: the plan's, or the months of it.
 *
 * Example: yearly from 31 January 2024 in arrears, charges monthly; at 29 February -> charges 31 January to 29 February and
 * nothing else; at 31 January 2025 -> charges of the last month, the plan's fee, fixed charges and commitment of the year.
 */
export function stepSpans(step: StepSituation): StepSpans {
  const { kind, billingAt } = step;
  switch (kind) {
    case 'start':
      return atStart(step);
    case 'trial_end':
      return { ...NOTHING, fee: feeSpan(step, running(planCalendar(step), billingAt)) };
    case 'period':
      return atBound(step);
    case 'end':
      return atEnd(step, billingAt);
    case 'end_on_boundary':
      return atEnd(step, plus(billingAt, -1));
    case 'resume':
      return atResume(step);
    case 'units_change':
      return { ...NOTHING, unitsChange: restOf(fixedChargeCalendar(step), billingAt) };
    default:
      return kind satisfies never;
  }
}

/** Days by which the plan's amount is divided in this step, whether or not its fee is billed. */
export function planPeriodDays(step: StepSituation): number {
  const calendar = planCalendar(step);
  const inside = step.kind === 'end_on_boundary' ? plus(step.billingAt, -1) : step.billingAt;
  return daysOf(calendar, running(calendar, inside));
}

/** What documents show. A span that has no time in it yet ends where the subscription starts. */
export function shownBoundaries(step: StepSituation): ShownBoundaries {
  const ends = step.kind === 'end' || step.kind === 'end_on_boundary';
  const at = step.kind === 'end_on_boundary' ? plus(step.billingAt, -1) : step.billingAt;
  const boundaries = billingBoundaries({ ...step, billingAt: at, terminatedAt: ends ? at : null });
  const shown = (span: BilledSpan | null): ShownSpan | null =>
    span && { from: span.from, to: later(lastInstant(span), step.startedAt) };
  return {
    subscription: shown(boundaries.subscription),
    charges: shown(boundaries.charges),
    fixedCharges: shown(boundaries.fixedCharges),
  };
}

function atStart(step: StepSituation): StepSpans {
  const { billingAt, startedAt } = step;
  const usage = running(chargeCalendar(step), billingAt);
  return {
    ...NOTHING,
    fee: step.payInAdvance && !inTrial(step) ? feeSpan(step, running(planCalendar(step), billingAt)) : null,
    // A life that goes on from another plan in the middle of a period has its usage paid already, up to the next bound.
    renewal: step.succeeds && usage.from === billingAt ? spanOf(chargeCalendar(step), usage) : null,
    fixedChargesAhead: restOf(fixedChargeCalendar(step), startedAt),
  };
}

function atResume(step: StepSituation): StepSpans {
  const { billingAt, pausedAt = null } = step;
  const unpaid = (calendar: BillingCalendar) =>
    pausedAt !== null && pausedAt >= running(calendar, billingAt).from ? null : restOf(calendar, billingAt);
  return {
    ...NOTHING,
    fee: step.payInAdvance && !inTrial(step) ? feeSpan(step, running(planCalendar(step), billingAt)) : null,
    renewal: unpaid(chargeCalendar(step)),
    fixedChargesAhead: unpaid(fixedChargeCalendar(step)),
  };
}

function atBound(step: StepSituation): StepSpans {
  const { billingAt } = step;
  const plan = planCalendar(step);
  const charges = chargeCalendar(step);
  const fixedCharges = fixedChargeCalendar(step);
  const arrears = (calendar: BillingCalendar) =>
    isBound(calendar, billingAt) ? running(calendar, plus(billingAt, -1)) : null;
  const ahead = (calendar: BillingCalendar) =>
    isBound(calendar, billingAt) ? spanOf(calendar, running(calendar, billingAt)) : null;
  const past = arrears(plan);
  const inAdvance = step.payInAdvance && past !== null && !inTrial(step);
  const usage = billingBoundaries(step);
  return {
    ...NOTHING,
    fee: step.payInAdvance ? (inAdvance ? feeSpan(step, running(plan, billingAt)) : null) : past && feeSpan(step, past),
    charges: arrears(charges) === null ? null : notVoid(usage.charges),
    renewal: ahead(charges),
    fixedCharges: arrears(fixedCharges) === null ? null : notVoid(usage.fixedCharges),
    fixedChargesAhead: ahead(fixedCharges),
    commitment: past && feeSpan(step, past),
  };
}

/** `inside` is the last instant that belongs to it. */
function atEnd(step: StepSituation, inside: Instant): StepSpans {
  const usage = billingBoundaries({ ...step, billingAt: inside, terminatedAt: inside });
  const period = running(planCalendar(step), inside);
  const plan = feeSpan(step, period, plus(inside, 1));
  return {
    ...NOTHING,
    fee: step.payInAdvance ? null : plan,
    charges: notVoid(usage.charges),
    fixedCharges: notVoid(usage.fixedCharges),
    commitment: plan,
  };
}

function planCalendar(step: StepSituation): BillingCalendar {
  return step;
}

function chargeCalendar(step: StepSituation): BillingCalendar {
  return splits(step) && step.billChargesMonthly ? monthly(step) : step;
}

function fixedChargeCalendar(step: StepSituation): BillingCalendar {
  return splits(step) && step.billFixedChargesMonthly ? monthly(step) : step;
}

function splits({ interval }: StepSituation): boolean {
  return interval === 'semiannual' || interval === 'yearly';
}

// While a trial runs, a fee in advance waits: the trial's end bills what is left of the period it falls in.
function inTrial({ trialEndsAt, billingAt }: StepSituation): boolean {
  return trialEndsAt !== null && trialEndsAt > billingAt;
}

function running(calendar: BillingCalendar, at: Instant): Period {
  return periodContaining(calendar, at);
}

function isBound(calendar: BillingCalendar, at: Instant): boolean {
  return running(calendar, at).from === at;
}

/** From the local day of the start on. */
function feeSpan(step: StepSituation, period: Period, to = period.to): BilledSpan | null {
  const firstDay = startOfLocalDay(localDate(step.startedAt, step.zone), step.zone);
  return notVoid(spanOf(planCalendar(step), period, later(period.from, firstDay), to));
}

/** From an instant to the end of the period it is in. */
function restOf(calendar: BillingCalendar, at: Instant): BilledSpan {
  return spanOf(calendar, running(calendar, at), at);
}

function spanOf(calendar: BillingCalendar, period: Period, from = period.from, to = period.to): BilledSpan {
  return { kind: 'billed-span', from, to, period, periodDays: daysOf(calendar, period) };
}

function notVoid(span: BilledSpan | null): BilledSpan | null {
  return span === null || isVoid(span) ? null : span;
}
