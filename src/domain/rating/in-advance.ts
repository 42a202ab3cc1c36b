import type { Instant } from '../calendar/instant.js';
import type { ChargeModel, PercentageModel } from '../catalog/charge.js';
import type { MeteredEvent } from '../metering/metered-event.js';
import { roundProrated } from '../metering/prorated-sum.js';
import { railsDecimal } from '../money/decimal-string.js';
import { atLeastZero, Decimal, HUNDRED, ratioOrZero, ZERO } from '../money/decimal.js';
import { extendAllowance, type FreeAllowance, NOTHING_FREE, ratePercentageTransaction } from './percentage.js';
import { rate } from './rate.js';
import type { AmountDetails, RatedAmount } from './rated-amount.js';

/** What was billed of one slice of a charge (one price, one set of group values) in one period so far. */
export interface BilledTotals {
  readonly units: Decimal;
  /** The most that the units ever were: what is paid. Falling below it gives nothing back, rising to it costs nothing. */
  readonly peak: Decimal;
  /** What the peak was when the period began, which its renewal paid for all of it. */
  readonly carried: Decimal;
  /** Prorated charges: what was added to the peak since, each part weighted by the days from it on; not rounded. */
  readonly weighted: Decimal;
  /** Transactions: events that took nothing back. */
  readonly eventsCount: number;
  readonly free: FreeAllowance;
}

/** The same over all periods. */
export interface BilledSlice {
  /** Units of a recurring metric, which persist from period to period; zero for any other. */
  readonly level: Decimal;
  /** By the start of the period. */
  readonly periods: ReadonlyMap<Instant, BilledTotals>;
}

export interface AdvanceTerms {
  readonly model: ChargeModel;
  readonly recurring: boolean;
}

/** An event that is billed for itself. */
export interface AdvanceEvent {
  /** Start of the period in which it was used. */
  readonly periodFrom: Instant;
  /** What it adds to the units; not rounded, whatever the metric says (reference 2.3). */
  readonly change: Decimal;
  /** What its sender says it costs, in hundredths of the currency unit; for dynamic prices. */
  readonly preciseTotalAmountCents: Decimal;
  /** Prorated charges: the part of the period from the event's day on. */
  readonly share: Decimal | null;
}

export interface AdvanceStep {
  readonly rated: RatedAmount;
  /** Units that were not paid before, not weighted by time. */
  readonly gained: Decimal;
  readonly after: BilledSlice;
}

export const NOTHING_BILLED: BilledSlice = { level: ZERO, periods: new Map() };

/**
 * The fee of one event paid in advance: the price of all units with it less the price of all before it (reference 2.4), in
 * the order of arrival and against the most that was reached, so that nothing is paid twice. A prorated one is paid for the
 * days from its own to the end of the period, its units rounded up at 5 decimals. Amounts in currency units, not rounded.
 *
 * Over usage that never falls the fees sum to the price of the total: the flat amount of a first tier comes with the first
 * event. Of a recurring metric's units that were there when the period began, the renewal has paid it.
 *
 * Example: 1 per unit; +10, −4, +8 -> 10, 0, 4. Tiers 0-5 @ 1 + 2, 6+ @ 2 + 3; +7 -> 14.
 */
export function rateInAdvance(terms: AdvanceTerms, slice: BilledSlice, event: AdvanceEvent): AdvanceStep {
  const before = slice.periods.get(event.periodFrom) ?? opened(terms.recurring ? slice.level : ZERO);
  const units = (terms.recurring ? slice.level : before.units).plus(event.change);
  const peak = Decimal.max(before.peak, units);
  const isUse = !event.change.isNegative();
  const after: BilledTotals = {
    units,
    peak,
    carried: before.carried,
    weighted: before.weighted.plus(peak.minus(before.peak).times(event.share ?? 1)),
    eventsCount: before.eventsCount + (isUse ? 1 : 0),
    free: terms.model.kind === 'percentage' && isUse ? extendAllowance(terms.model, before.free, peak) : before.free,
  };
  return {
    rated: rateStep(terms.model, before, after, event),
    gained: peak.minus(before.peak),
    after: {
      level: terms.recurring ? units : slice.level,
      periods: new Map(slice.periods).set(event.periodFrom, after),
    },
  };
}

/** What there is when a period begins was paid by its renewal, or before the charge was there. */
function opened(units: Decimal): BilledTotals {
  const peak = atLeastZero(units);
  return { units, peak, carried: peak, weighted: ZERO, eventsCount: 0, free: NOTHING_FREE };
}

/** What was paid in advance of a slice in a period. */
export interface PaidUnits {
  /** The most that the units ever were. */
  readonly units: Decimal;
  /** The same, each part weighted by the days from which on it was paid; rounded up at 5 decimals. */
  readonly proratedUnits: Decimal;
}

/**
 * The units that a slice of a charge was billed for in one period: what it began with, for the part of the period that is
 * billed, and what came above the most there ever was. What is taken away is not given back (reference 2.3).
 *
 * Example: began with nothing; 10 with 24 of 29 days left, −5, then 7 with 10 left -> 12; 10 × 24 ÷ 29 + 2 × 10 ÷ 29 =
 * 8.96552.
 */
export function paidUnits(
  { level, periods }: BilledSlice,
  period: { readonly from: Instant; readonly share: Decimal; readonly recurring: boolean },
): PaidUnits {
  const { peak, carried, weighted } = periods.get(period.from) ?? opened(period.recurring ? level : ZERO);
  return { units: peak, proratedUnits: roundProrated(carried.times(period.share).plus(weighted)) };
}

/**
 * What an event of a metric changes: a counted one 1, a sum its value; of unique values only what comes new and what goes.
 * `present` says whether the value is there before it.
 *
 * Example: add a, add a, remove b (never added), remove a -> 1, 0, 0, −1.
 */
export function changeOf(event: MeteredEvent, present: boolean): Decimal {
  if (event.uniqueValue === null) return event.value ?? new Decimal(1);
  if (event.operation === 'add') return new Decimal(present ? 0 : 1);
  return new Decimal(present ? -1 : 0);
}

function rateStep(model: ChargeModel, before: BilledTotals, after: BilledTotals, event: AdvanceEvent): RatedAmount {
  const gained = after.peak.minus(before.peak);
  if (event.share !== null) {
    const units = roundProrated(gained.times(event.share));
    return ratedStep(rate(model, { units, fullUnits: gained, eventsCount: 1 }).amount, units, gained, {});
  }
  switch (model.kind) {
    case 'dynamic':
      return ratedStep(event.preciseTotalAmountCents.div(HUNDRED), gained, gained, {});
    case 'percentage':
      return ratePercentageStep(model, before, after);
    case 'standard':
    case 'graduated':
    case 'graduated_percentage':
    case 'package':
    case 'volume': {
      if (isUnused(after)) return ratedStep(ZERO, gained, gained, {});
      const [all, paid] = [priceOf(model, after), isUnused(before) ? null : priceOf(model, before)];
      const details = model.kind === 'graduated_percentage' ? rangesBetween(paid, all) : {};
      return ratedStep(all.amount.minus(paid?.amount ?? ZERO), gained, gained, details);
    }
    default:
      return model satisfies never;
  }
}

const priceOf = (model: ChargeModel, { peak, eventsCount }: BilledTotals) => rate(model, { units: peak, eventsCount });

/** Nothing of the slice was billed in the period yet. */
const isUnused = ({ peak, eventsCount }: BilledTotals) => peak.isZero() && eventsCount === 0;

/** What the event adds to each range: the difference of the ranges with it and without it. */
function rangesBetween(before: RatedAmount | null, after: RatedAmount): AmountDetails {
  const rangesOf = (rated: RatedAmount | null) =>
    (rated?.amountDetails['graduated_percentage_ranges'] ?? []) as readonly AmountDetails[];
  const known = new Map(rangesOf(before).map((range) => [range['from_value'], range]));
  const added = (range: AmountDetails, key: string) =>
    railsDecimal(new Decimal(range[key] as string).minus((known.get(range['from_value'])?.[key] as string) ?? 0));
  const ranges = rangesOf(after).map((range) => ({
    ...range,
    ...Object.fromEntries(ADDED_UP.map((key) => [key, added(range, key)])),
  }));
  return { graduated_percentage_ranges: ranges };
}

const ADDED_UP = ['units', 'per_unit_total_amount', 'total_with_flat_amount'] as const;

/**
 * One transaction of a percentage price. What is still free of it depends on those before; with bounds per transaction the
 * rest is clamped for itself.
 *
 * Example: 5 % + 1, 3 units free; an event of 5 -> (5 − 3) × 5 % + 1 = 1.10.
 */
function ratePercentageStep(model: PercentageModel, before: BilledTotals, after: BilledTotals): RatedAmount {
  const gained = after.peak.minus(before.peak);
  const freeUnits = after.free.units.minus(before.free.units);
  const freeEvents = after.free.events - before.free.events;
  const paidUnits = atLeastZero(gained.minus(freeUnits));
  const paidEvents = after.eventsCount - before.eventsCount - freeEvents;
  const priced = paidUnits.times(model.rate).div(HUNDRED);
  const bounded = model.perTransactionMinAmount !== null || model.perTransactionMaxAmount !== null;
  const fixed = bounded
    ? model.fixedAmount.times(paidEvents)
    : fixedAmountsOf(model, after).minus(fixedAmountsOf(model, before));
  const amount = bounded ? (paidEvents === 0 ? ZERO : ratePercentageTransaction(model, paidUnits)) : priced.plus(fixed);
  return ratedStep(amount, gained, gained, {
    units: railsDecimal(gained),
    free_units: railsDecimal(freeUnits),
    paid_units: railsDecimal(paidUnits),
    free_events: railsDecimal(new Decimal(freeEvents)),
    paid_events: railsDecimal(new Decimal(paidEvents)),
    rate: railsDecimal(model.rate),
    per_unit_total_amount: railsDecimal(priced),
    fixed_fee_unit_amount: railsDecimal(paidEvents === 0 ? ZERO : model.fixedAmount),
    fixed_fee_total_amount: railsDecimal(fixed),
    min_max_adjustment_total_amount: railsDecimal(amount.minus(priced).minus(fixed)),
  });
}

// As in arrears, where events without any units at all pay no fixed amount.
function fixedAmountsOf(model: PercentageModel, { peak, eventsCount, free }: BilledTotals): Decimal {
  return peak.isZero() ? ZERO : model.fixedAmount.times(eventsCount - free.events);
}

function ratedStep(
  preciseAmount: Decimal,
  units: Decimal,
  fullUnits: Decimal,
  amountDetails: AmountDetails,
): RatedAmount {
  const amount = atLeastZero(preciseAmount);
  return { kind: 'rated-amount', amount, unitAmount: ratioOrZero(amount, fullUnits), units, amountDetails };
}
