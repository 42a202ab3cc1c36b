import {
  billingBoundaries,
  type BilledSpan,
  type BillingSituation,
} from '../../src/domain/calendar/billing-boundaries.js';
import { instant, plus, SECOND, toIso, type Instant } from '../../src/domain/calendar/instant.js';
import { lastInstant } from '../../src/domain/calendar/period.js';
import type { AggregationKind, MetricDefinition, RoundingFunction } from '../../src/domain/catalog/billable-metric.js';
import { defaultChargeProperties, parseChargeProperties, type ChargeModel } from '../../src/domain/catalog/charge.js';
import { applyCoupons, type AppliedCoupon } from '../../src/domain/invoicing/coupons.js';
import { feeTaxes, invoiceTaxes, type Tax } from '../../src/domain/invoicing/taxes.js';
import { aggregateEvents, unitsOf } from '../../src/domain/metering/aggregate.js';
import { crossedThresholds } from '../../src/domain/metering/alert-thresholds.js';
import { meterEvent, type UsageEvent } from '../../src/domain/metering/metered-event.js';
import { proratedSum, type ProratedSpan, type ProratedUnits } from '../../src/domain/metering/prorated-sum.js';
import { proratedUniqueCount } from '../../src/domain/metering/prorated-unique-count.js';
import { roundUnits } from '../../src/domain/metering/rounding.js';
import { atLeastZero, Decimal, ratioOrZero } from '../../src/domain/money/decimal.js';
import { roundToMinorUnits, toMinorUnits } from '../../src/domain/money/money.js';
import { billedDays } from '../../src/domain/proration/day-count.js';
import {
  fixedChargeUnitsInAdvance,
  fixedChargeUnitsInArrears,
  remainingShare,
} from '../../src/domain/proration/fixed-charge.js';
import { commitmentDue } from '../../src/domain/proration/minimum-commitment.js';
import { subscriptionFee } from '../../src/domain/proration/subscription-fee.js';
import { spendingMinimumTrueUp } from '../../src/domain/proration/true-up.js';
import { graduatedPercentageShare } from '../../src/domain/rating/graduated-percentage.js';
import { graduatedShare } from '../../src/domain/rating/graduated.js';
import { ratePercentageTransaction } from '../../src/domain/rating/percentage.js';
import { rate } from '../../src/domain/rating/rate.js';
import type { MeteredUsage } from '../../src/domain/rating/rated-amount.js';

/** One row of a vector file; its fields depend on the topic and are described by the file's `note`. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- external data, read field by field below
export type Vector = { readonly id: string } & Record<string, any>;

export interface Comparison {
  readonly expected: unknown;
  readonly actual: unknown;
}

/** Runs the pure functions on a row and puts what they answer beside what the row expects. */
export type Topic = (vector: Vector) => Comparison;

/** By file name without `.json`. A file that is not here is not served yet. */
export const TOPICS: Readonly<Record<string, Topic>> = {
  'aggregation-prorated-sum': proratedAggregation,
  'aggregation-prorated-unique-count': proratedAggregation,
  'aggregation-rounding': aggregationRounding,
  'aggregation-weighted-sum': weightedSum,
  'alert-thresholds': alertThresholds,
  'charge-dynamic': chargeModel,
  'charge-estimate-instant': estimateInstant,
  'charge-graduated': chargeModel,
  'charge-graduated-percentage': chargeModel,
  'charge-graduated-prorated': graduatedProrated,
  'charge-package': chargeModel,
  'charge-percentage': chargeModel,
  'charge-range-details': rangeDetails,
  'charge-standard': chargeModel,
  'charge-volume': chargeModel,
  'coupon-credits': couponCredits,
  'periods-monthly': periods,
  'periods-quarterly': periods,
  'periods-semiannual': periods,
  'periods-weekly': periods,
  'periods-yearly': periods,
  'proration-day-count': dayCount,
  'proration-fixed-charge-in-advance': fixedChargeInAdvance,
  'proration-fixed-charge-in-arrears': fixedChargeInArrears,
  'proration-minimum-commitment': minimumCommitment,
  'proration-subscription-fee': subscriptionFeeOf,
  'proration-true-up': trueUp,
  'tax-fee': taxFee,
  'tax-invoice': taxInvoice,
};

/** The topic of a file, or of a row by its id when the file has another name. */
export function topicOf(fileName: string, vectorId: string): Topic | null {
  return TOPICS[fileName.replace(/\.json$/, '')] ?? TOPICS[vectorId.replace(/-\d+$/, '')] ?? null;
}

// --- charge models ---------------------------------------------------------------------------------------------------

function chargeModel(vector: Vector): Comparison {
  const rated = rate(modelOf(vector), {
    units: new Decimal(vector['units']),
    eventsCount: vector['events_count'] ?? 0,
    ...(vector['full_units'] === undefined ? {} : { fullUnits: new Decimal(vector['full_units']) }),
    runningTotals: decimals(vector['running_total'] ?? []),
    ...(vector['events'] && vector['premium'] !== false ? { transactionValues: decimals(vector['events']) } : {}),
    ...(vector['precise_total_amount_cents'] === undefined
      ? {}
      : { preciseTotalAmountCents: new Decimal(vector['precise_total_amount_cents']) }),
  });
  return ratedComparison(vector, rated);
}

function graduatedProrated(vector: Vector): Comparison {
  const weighted = decimals(vector['events_prorated']);
  const steps = decimals(vector['events']).map((units, index) => ({ units, prorated: weighted[index] ?? units }));
  const usage: MeteredUsage = {
    units: weighted.reduce((sum, units) => sum.plus(units), new Decimal(0)),
    eventsCount: steps.length,
    proratedSteps: steps,
  };
  return ratedComparison(vector, rate(modelOf(vector), usage));
}

function ratedComparison(vector: Vector, rated: ReturnType<typeof rate>): Comparison {
  return {
    expected: expectations(vector),
    actual: {
      amount: rounded(rated.amount, vector['amount_decimals']),
      unit_amount: rounded(rated.unitAmount, vector['unit_amount_decimals']),
      amount_details: rated.amountDetails,
      units: rated.units,
    },
  };
}

function estimateInstant(vector: Vector): Comparison {
  // Estimates price unfinished charges too: what is missing costs nothing.
  const given = Object.entries(vector['properties'] ?? {}).filter(([, value]) => value !== null);
  const kind = vector['model'];
  const model = parsed(kind, { ...defaultChargeProperties(kind), ...Object.fromEntries(given) });
  const units = atLeastZero(new Decimal(vector['units']));
  const amount =
    model.kind === 'percentage'
      ? ratePercentageTransaction(model, units)
      : rate(model, { units, eventsCount: 1 }).amount;
  return {
    expected: expectations(vector),
    actual: { amount: rounded(amount, vector['amount_decimals']), units, unit_amount: ratioOrZero(amount, units) },
  };
}

function rangeDetails(vector: Vector): Comparison {
  const key = `${vector['model']}_ranges`;
  const touching = vector['adjacent_decimal'] === true;
  const total = new Decimal(vector['total_units']);
  const given = vector['range'];
  const model = parsed(vector['model'], { [key]: [{ ...given, from_value: 0, to_value: null }] });
  const bounds = {
    fromValue: new Decimal(given.from_value),
    toValue: given.to_value === null ? null : new Decimal(given.to_value),
  };
  const range = 'ranges' in model ? model.ranges[0] : undefined;
  if (!range) throw new Error(`No tier in ${vector.id}`);
  const share =
    'rate' in range
      ? graduatedPercentageShare({ ...range, ...bounds }, total, touching)
      : graduatedShare({ ...range, ...bounds }, total, touching);
  return { expected: vector['expect'], actual: share.details };
}

function modelOf(vector: Vector): ChargeModel {
  return parsed(vector['model'], vector['properties']);
}

function parsed(kind: string, properties: Record<string, unknown>): ChargeModel {
  const result = parseChargeProperties(kind, properties);
  if (!result.ok) throw new Error(`The properties of the charge are refused: ${JSON.stringify(result.errors)}`);
  return result.model;
}

// --- aggregations ----------------------------------------------------------------------------------------------------

function aggregationRounding(vector: Vector): Comparison {
  const rounding = vector['rounding_function'] && {
    function: vector['rounding_function'] as RoundingFunction,
    precision: vector['rounding_precision'] as number | null,
  };
  return { expected: vector['expect_units'], actual: roundUnits(new Decimal(vector['units']), rounding || null) };
}

function weightedSum(vector: Vector): Comparison {
  const { from, to, periodDays } = spanOf(vector);
  const metric = metricOf(vector);
  const inside = eventsOf(vector).filter((event) => event.timestamp >= from && event.timestamp < to);
  const { units, eventsCount } = unitsOf(metric.aggregation, aggregateEvents(metric, inside), null, {
    from,
    to,
    periodDays,
    carriedLevel: new Decimal(metric.recurring ? (vector['initial_value'] ?? 0) : 0),
  });
  return aggregationComparison(vector, rounded(units, vector['units_decimals']), eventsCount);
}

function proratedAggregation(vector: Vector): Comparison {
  const metric = metricOf(vector);
  const events = eventsOf(vector).map((event) => meterEvent(metric, event));
  const aggregate: (metered: typeof events, span: ProratedSpan) => ProratedUnits =
    metric.aggregation === 'unique_count_agg' ? proratedUniqueCount : proratedSum;
  const { units, eventsCount, fullUnits } = aggregate(events, spanOf(vector));
  return aggregationComparison(vector, units, eventsCount, fullUnits);
}

function aggregationComparison(vector: Vector, units: Decimal, eventsCount: number, fullUnits?: Decimal): Comparison {
  return {
    expected: expectations(vector),
    actual: { units, events_count: eventsCount, full_units: fullUnits, total_aggregated_units: fullUnits },
  };
}

function metricOf(vector: Vector): MetricDefinition {
  return {
    id: 'metric',
    code: 'metric',
    aggregation: vector['aggregation'] as AggregationKind,
    fieldName: 'value',
    recurring: vector['recurring'] === true,
    filters: [],
  };
}

function eventsOf(vector: Vector): UsageEvent[] {
  return (vector['events'] as Vector[]).map((event, sequence) => ({
    timestamp: instant(event['at']),
    sequence,
    properties: { value: event['value'] ?? event['id'], operation_type: event['operation'] },
  }));
}

function spanOf(vector: Vector): ProratedSpan {
  return {
    from: instant(vector['from_datetime']),
    to: afterLastSecond(vector['to_datetime']),
    periodDays: vector['period_days'],
    zone: vector['timezone'] ?? 'UTC',
  };
}

function alertThresholds(vector: Vector): Comparison {
  const alert = {
    direction: vector['direction'] as 'increasing' | 'decreasing',
    oneTime: decimals(vector['thresholds']),
    recurringStep: vector['recurring_threshold'] == null ? null : new Decimal(vector['recurring_threshold']),
  };
  const crossed = crossedThresholds(alert, new Decimal(vector['previous_value']), new Decimal(vector['current_value']));
  return { expected: vector['expect_crossed'], actual: crossed };
}

// --- billing periods -------------------------------------------------------------------------------------------------

function periods(vector: Vector): Comparison {
  const previous = vector['previous_invoice'];
  const situation: BillingSituation = {
    interval: vector['interval'],
    billingTime: vector['billing_time'],
    payInAdvance: vector['pay_in_advance'],
    zone: vector['timezone'],
    subscriptionAt: instant(vector['subscription_at']),
    startedAt: optionalInstant(vector['started_at']),
    terminatedAt: optionalInstant(vector['terminated_at']),
    billingAt: instant(vector['now']),
    currentUsage: vector['current_usage'] === true,
    billChargesMonthly: vector['bill_charges_monthly'] === true,
    billFixedChargesMonthly: vector['bill_fixed_charges_monthly'] === true,
    previousInvoice: previous
      ? {
          zone: previous.timezone,
          chargesTo: previous.charges_to_datetime ? afterLastSecond(previous.charges_to_datetime) : null,
          fixedChargesTo: previous.fixed_charges_to_datetime
            ? afterLastSecond(previous.fixed_charges_to_datetime)
            : null,
        }
      : null,
  };
  const { subscription, charges, fixedCharges, running, previous: before } = billingBoundaries(situation);
  return {
    expected: vector['expect'],
    actual: {
      ...boundsOf('', subscription),
      ...boundsOf('charges_', charges),
      ...boundsOf('fixed_charges_', fixedCharges),
      subscription_duration_in_days: subscription?.periodDays ?? null,
      next_end_of_period: toIso(lastInstant(running)),
      current_period_beginning: toIso(running.from),
      previous_beginning_of_period: toIso(before.from),
    },
  };
}

function boundsOf(prefix: string, span: BilledSpan | null): Record<string, string | number | null> {
  return {
    [`${prefix}from_datetime`]: span && toIso(span.from),
    [`${prefix}to_datetime`]: span && toIso(lastInstant(span)),
    [`${prefix}duration_in_days`]: span && span.periodDays,
  };
}

// --- proration -------------------------------------------------------------------------------------------------------

function dayCount(vector: Vector): Comparison {
  const span = { from: instant(vector['from_datetime']), to: including(vector['to_datetime']) };
  return { expected: vector['expect_days'], actual: billedDays(span, vector['timezone']) };
}

function subscriptionFeeOf(vector: Vector): Comparison {
  const fee = subscriptionFee({
    planAmountMinor: vector['plan_amount_cents'],
    currency: 'EUR',
    periodDays: vector['period_days'],
    from: instant(vector['from_datetime']),
    to: afterLastSecond(vector['to_datetime']),
    zone: vector['timezone'] ?? 'UTC',
    trialEndsAt: optionalInstant(vector['trial_ends_at']),
    endedByUpgrade: vector['ended_by_upgrade'] === true,
  });
  const expected = vector['expect'];
  return {
    expected: asPrintedFloat(expected),
    actual: asPrintedFloat({
      billed_days: fee.billedDays,
      amount_cents: fee.amountMinor,
      precise_amount_cents: fee.preciseAmountMinor,
    }),
  };
}

/*
 * Precise amounts were printed from binary floats, whose last digits are noise (28 × 100 ÷ 31 is 90.3225806451612903…,
 * printed …128): they are compared to 12 digits. Whole cents are compared exactly.
 */
const FLOAT_DIGITS = 12;

function asPrintedFloat(fee: Record<string, unknown>): Record<string, unknown> {
  const precise = fee['precise_amount_cents'];
  if (precise == null) return fee;
  return { ...fee, precise_amount_cents: new Decimal(precise as string).toSignificantDigits(FLOAT_DIGITS) };
}

function trueUp(vector: Vector): Comparison {
  const span = { from: instant(vector['charges_from_datetime']), to: afterLastSecond(vector['charges_to_datetime']) };
  const fee = spendingMinimumTrueUp({
    minAmountMinor: vector['min_amount_cents'],
    usedAmountMinor: new Decimal(vector['used_amount_cents']),
    billedDays: billedDays(span, vector['timezone'] ?? 'UTC'),
    periodDays: vector['charges_duration'],
  });
  const expected = vector['expect_precise_amount_cents'];
  const digits = (value: Decimal | string | null | undefined) =>
    value == null ? null : new Decimal(value).toSignificantDigits(FLOAT_DIGITS);
  return {
    expected: {
      amount: vector['expect_true_up_amount_cents'],
      ...(expected === undefined ? {} : { precise: digits(expected) }),
    },
    actual: { amount: fee?.amountMinor ?? null, precise: digits(fee?.preciseAmountMinor) },
  };
}

function minimumCommitment(vector: Vector): Comparison {
  const span = { from: instant(vector['from_datetime']), to: afterLastSecond(vector['to_datetime']) };
  const days = billedDays(span, vector['timezone'] ?? 'UTC');
  return {
    expected: { covered_days: vector['covered_days'], amount: vector['expect_commitment_amount_cents'] },
    actual: {
      covered_days: days,
      amount: commitmentDue(vector['commitment_amount_cents'], days, vector['period_days']),
    },
  };
}

function fixedChargeInAdvance(vector: Vector): Comparison {
  const zone = vector['timezone'] ?? 'UTC';
  const effectiveAt = instant(vector['effective_at']);
  const { running } = billingBoundaries({
    interval: vector['interval'],
    billingTime: vector['billing_time'] ?? 'calendar',
    payInAdvance: true,
    zone,
    subscriptionAt: instant(vector['subscription_started_at']),
    startedAt: instant(vector['subscription_started_at']),
    billingAt: effectiveAt,
  });
  const periodDays = billedDays(running, zone);
  const units = fixedChargeUnitsInAdvance(
    new Decimal(vector['new_units']),
    decimals(vector['units_already_billed_in_period']),
  );
  const share = vector['prorated']
    ? remainingShare({ at: effectiveAt, to: running.to, periodDays, zone })
    : new Decimal(1);
  const amount = units.times(vector['unit_amount']).times(share);
  return { expected: vector['expect'], actual: { units, amount_cents: roundToMinorUnits(amount, 'EUR') } };
}

function fixedChargeInArrears(vector: Vector): Comparison {
  const units = fixedChargeUnitsInArrears({
    changes: (vector['units_events'] as Vector[]).map((change) => ({
      at: instant(change['at']),
      units: new Decimal(change['units']),
    })),
    ...spanOf(vector),
  });
  const { fullUnits } = units;
  const rated = rate(modelOf(vector), {
    ...(vector['prorated'] ? { units: units.proratedUnits, fullUnits } : { units: fullUnits }),
    eventsCount: 1,
  });
  return {
    expected: vector['expect'],
    actual: {
      units: fullUnits,
      amount_cents: roundToMinorUnits(rated.amount, 'EUR'),
      unit_amount_cents: toMinorUnits(rated.unitAmount, 'EUR').floor(),
      precise_amount_cents: toMinorUnits(rated.amount, 'EUR'),
    },
  };
}

// --- taxes and coupons -----------------------------------------------------------------------------------------------

function taxFee(vector: Vector): Comparison {
  const taxes = feeTaxes(taxableFee(vector, vector['fee_amount_cents']));
  return {
    expected: vector['expect'],
    actual: {
      applied_taxes_amount_cents: taxes.applied.map((line) => line.amountMinor),
      taxes_amount_cents: taxes.amountMinor,
      taxes_precise_amount_cents: taxes.preciseAmountMinor,
      taxes_rate: taxes.rate,
    },
  };
}

function taxInvoice(vector: Vector): Comparison {
  const taxes = invoiceTaxes((vector['fees'] as Vector[]).map((fee) => taxableFee(fee, fee['amount_cents'])));
  return {
    expected: vector['expect'],
    actual: {
      taxes: taxes.taxes.map(({ tax, feesAmountMinor, amountMinor }) => ({
        rate: tax.rate,
        fees_amount_cents: feesAmountMinor,
        amount_cents: amountMinor,
      })),
      taxes_amount_cents: taxes.amountMinor,
      taxes_rate: taxes.rate,
    },
  };
}

/** Rows name taxes by their rates. */
function taxableFee(row: Record<string, unknown>, amountMinor: number) {
  const taxes: Tax[] = ((row['tax_rates'] as string[] | undefined) ?? []).map((percent) => ({
    code: percent,
    name: percent,
    rate: new Decimal(percent),
  }));
  return { amountMinor, couponShareMinor: new Decimal((row['coupon_share_cents'] as string | undefined) ?? 0), taxes };
}

function couponCredits(vector: Vector): Comparison {
  const fees = vector['fees_amount_cents'] as number[];
  const coupons = (vector['coupons'] as Vector[]).map(couponOf);
  const { credits, totalMinor, feeShares } = applyCoupons(fees, coupons, 'EUR');
  const used = credits.filter((credit) => credit !== null);
  return {
    expected: vector['expect'],
    actual: {
      credits_cents: used.map((credit) => credit.amountMinor),
      coupons_amount_cents: totalMinor,
      sub_total_excluding_taxes_amount_cents: fees.reduce((sum, fee) => sum + fee, 0) - totalMinor,
      fees_coupon_share_cents: feeShares,
      applied_coupon_status: credits.map((credit) => credit?.status ?? 'active'),
      frequency_duration_remaining: used.map((credit) => credit.remaining),
    },
  };
}

function couponOf(coupon: Vector): AppliedCoupon {
  const remaining = coupon['frequency_duration_remaining'];
  return {
    discount:
      coupon['type'] === 'fixed_amount'
        ? {
            kind: 'fixed_amount',
            amountMinor: coupon['amount_cents'],
            currency: coupon['amount_currency'] ?? coupon['currency'] ?? 'EUR',
            alreadyUsedMinor: coupon['amount_cents_already_used'] ?? 0,
          }
        : { kind: 'percentage', rate: new Decimal(coupon['percentage_rate']) },
    frequency:
      coupon['frequency'] === 'recurring' ? { kind: 'recurring', remaining } : { kind: coupon['frequency'] as 'once' },
    ...(coupon['applies_to_fees'] ? { feeIndexes: coupon['applies_to_fees'] } : {}),
  };
}

// --- reading rows ----------------------------------------------------------------------------------------------------

/** `expect_units: x` -> `{units: x}`, and whatever stands under `expect`. */
function expectations(vector: Vector): Record<string, unknown> {
  const named = Object.entries(vector)
    .filter(([key]) => key.startsWith('expect_'))
    .map(([key, value]) => [key.slice('expect_'.length), value]);
  const { amount, unit_amount: unitAmount, ...others } = { ...vector['expect'], ...Object.fromEntries(named) };
  return {
    ...others,
    ...(amount === undefined ? {} : { amount: rounded(new Decimal(amount), vector['amount_decimals']) }),
    ...(unitAmount === undefined
      ? {}
      : { unit_amount: rounded(new Decimal(unitAmount), vector['unit_amount_decimals']) }),
  };
}

function rounded(value: Decimal, places: number | undefined): Decimal {
  return places === undefined ? value : value.toDecimalPlaces(places);
}

function decimals(values: readonly (string | number)[]): Decimal[] {
  return values.map((value) => new Decimal(value));
}

function optionalInstant(value: string | null | undefined): Instant | null {
  return value == null ? null : instant(value);
}

/** Rows give the last second of a period; ours end where the next one starts. */
function afterLastSecond(text: string): Instant {
  const last = instant(text);
  return (last / SECOND) % 60 === 59 ? plus(last, SECOND) : plus(last, 1);
}

/** The end of a span that has this instant in it. */
function including(text: string): Instant {
  return plus(instant(text), 1);
}
