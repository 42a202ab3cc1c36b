import type { RatedPlan } from '../catalog/rated-plan.js';
import type { BilledSpan } from '../domain/calendar/billing-boundaries.js';
import type { Instant } from '../domain/calendar/instant.js';
import { instant, toIsoMilliseconds } from '../domain/calendar/instant.js';
import { invariant } from '../domain/invariant.js';
import {
  type ShownBoundaries,
  type ShownSpan,
  shownBoundaries,
  type StepKind,
  type StepSituation,
  type StepSpans,
  stepSpans,
} from '../domain/calendar/step-spans.js';
import { billedFrom, billingCalendarOf } from '../subscriptions/lifecycle.js';
import type { SubscriptionRow } from '../subscriptions/subscription.entity.js';

/** A billed span as it is stored: half-open, with the days of the full period. */
export interface StoredSpan {
  readonly from: string;
  readonly to: string;
  readonly period_days: number;
}

/** What a step bills, by kind of fee; an absent kind is not billed. */
export type StoredSpans = { readonly [Kind in keyof StepSpans]?: StoredSpan };

/** The boundaries a document shows: first and last instant. */
export type StoredBoundaries = {
  readonly [Kind in keyof ShownBoundaries]: { readonly from: string; readonly to: string } | null;
};

/** How far an earlier step went, and in which zone. */
export interface EarlierStep {
  readonly timezone: string;
  readonly chargesToAt?: Date | null;
  readonly fixedChargesToAt?: Date | null;
}

/** The situation of a subscription in a step, as the domain decides its spans from it. */
export function stepSituation(input: {
  readonly kind: StepKind;
  readonly subscription: SubscriptionRow;
  readonly plan: RatedPlan;
  readonly zone: string;
  readonly billingAt: Date;
  /** The last step before this one, which may have been cut in another zone. */
  readonly before: EarlierStep | null;
  readonly pausedAt?: Date | null;
}): StepSituation {
  const { kind, subscription, plan, zone, billingAt, before, pausedAt } = input;
  const begun = billedFrom(subscription);
  invariant(begun, 'what has not started is not billed');
  return {
    ...billingCalendarOf(subscription, plan.plan, zone),
    kind,
    previousInvoice: before && {
      zone: before.timezone,
      chargesTo: instantOf(before.chargesToAt),
      fixedChargesTo: instantOf(before.fixedChargesToAt),
    },
    payInAdvance: plan.plan.payInAdvance,
    billingAt: instant(billingAt.getTime()),
    startedAt: instant(begun.getTime()),
    billChargesMonthly: plan.plan.billChargesMonthly,
    billFixedChargesMonthly: plan.plan.billFixedChargesMonthly ?? false,
    trialEndsAt: subscription.trialEndsAt == null ? null : instant(subscription.trialEndsAt.getTime()),
    pausedAt: instantOf(pausedAt),
    succeeds: subscription.previousSubscriptionId != null,
  };
}

function instantOf(at: Date | null | undefined): Instant | null {
  return at == null ? null : instant(at.getTime());
}

export function storedSpans(situation: StepSituation): StoredSpans {
  const spans = Object.entries(stepSpans(situation)) as [keyof StepSpans, BilledSpan | null][];
  return Object.fromEntries(spans.flatMap(([kind, span]) => (span === null ? [] : [[kind, storedSpan(span)]])));
}

export function storedBoundaries(situation: StepSituation): StoredBoundaries {
  const { subscription, charges, fixedCharges } = shownBoundaries(situation);
  return { subscription: shown(subscription), charges: shown(charges), fixedCharges: shown(fixedCharges) };
}

/** A part of time that fees are computed for. */
export interface FeeSpan {
  readonly from: Instant;
  readonly to: Instant;
  readonly periodDays: number;
}

export function feeSpan(stored: StoredSpan): FeeSpan {
  return { from: instant(stored.from), to: instant(stored.to), periodDays: stored.period_days };
}

function storedSpan({ from, to, periodDays }: BilledSpan): StoredSpan {
  return { from: toIsoMilliseconds(from), to: toIsoMilliseconds(to), period_days: periodDays };
}

function shown(span: ShownSpan | null): { from: string; to: string } | null {
  return span && { from: toIsoMilliseconds(span.from), to: toIsoMilliseconds(span.to) };
}
