import type { PercentageModel } from '../catalog/charge.js';
import { railsDecimal } from '../money/decimal-string.js';
import { atLeastZero, Decimal, HUNDRED, ratioOrZero, sumDecimals, ZERO } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';

/**
 * A percentage of the units plus a fixed amount for every paying event. The free allowance ends at whichever limit is met
 * first, the number of events or their total; the event that crosses the total is free for its first part and pays the
 * fixed amount. With bounds per transaction every event is priced and clamped on its own.
 *
 * Example: 1.3 % + 2 per event, 250 units or 3 events free; running totals 50, 150, 400 of 800 units in 4 events
 * -> (800 − 250) × 1.3 % + 2 × 2 = 11.15.
 */
export function ratePercentage(model: PercentageModel, usage: MeteredUsage): RatedAmount {
  const bounded = model.perTransactionMinAmount !== null || model.perTransactionMaxAmount !== null;
  if (bounded && usage.transactionValues) return ratePerTransaction(model, usage, usage.transactionValues);

  const free = freeAllowance(model, usage.runningTotals ?? [], usage.eventsCount);
  const paidUnits = atLeastZero(usage.units.minus(free.units));
  const paidEvents = Math.max(0, usage.eventsCount - free.events);
  const priced = percentOf(model, paidUnits);
  const fixed = usage.units.isZero() ? ZERO : model.fixedAmount.times(paidEvents);
  const amount = priced.plus(fixed);
  return ratedPercentage(model, usage, { amount, free, paidUnits, paidEvents, priced, fixed, adjustment: ZERO });
}

/** How much of the units, and how many events, were free. */
export interface FreeAllowance {
  readonly units: Decimal;
  readonly events: number;
}

export const NOTHING_FREE: FreeAllowance = { units: ZERO, events: 0 };

/**
 * The free allowance after one more event that brought the units to `total`: the same rule as over all events at once, for
 * who bills them one by one. The units never fall, so once an event had to pay, none is free any more.
 *
 * Example: 3 units free; nothing used, an event of 5 -> 3 units and no event free.
 */
export function extendAllowance(model: PercentageModel, free: FreeAllowance, total: Decimal): FreeAllowance {
  const { freeUnitsPerEvents, freeUnitsPerTotalAggregation } = limitsOf(model);
  if (freeUnitsPerEvents === null && freeUnitsPerTotalAggregation === null) return free;
  if (freeUnitsPerEvents !== null && free.events >= freeUnitsPerEvents) return free;
  if (freeUnitsPerTotalAggregation !== null && total.greaterThan(freeUnitsPerTotalAggregation)) {
    return { units: freeUnitsPerTotalAggregation, events: free.events };
  }
  return { units: total, events: free.events + 1 };
}

function freeAllowance(model: PercentageModel, runningTotals: readonly Decimal[], eventsCount: number): FreeAllowance {
  const { freeUnitsPerEvents, freeUnitsPerTotalAggregation } = limitsOf(model);
  if (freeUnitsPerEvents === null && freeUnitsPerTotalAggregation === null) return { units: ZERO, events: 0 };
  const candidates = freeUnitsPerEvents === null ? runningTotals : runningTotals.slice(0, freeUnitsPerEvents);
  let units = ZERO;
  let events = 0;
  for (const total of candidates) {
    if (freeUnitsPerTotalAggregation !== null && total.greaterThan(freeUnitsPerTotalAggregation)) {
      return { units: freeUnitsPerTotalAggregation, events };
    }
    units = total;
    events += 1;
  }
  // The total was not reached: the number of events alone decides.
  return { units, events: freeUnitsPerEvents === null ? events : Math.min(freeUnitsPerEvents, eventsCount) };
}

/** An allowance of 0 is none. */
function limitsOf(
  model: PercentageModel,
): Pick<PercentageModel, 'freeUnitsPerEvents' | 'freeUnitsPerTotalAggregation'> {
  const { freeUnitsPerEvents: events, freeUnitsPerTotalAggregation: total } = model;
  return {
    freeUnitsPerEvents: events === 0 ? null : events,
    freeUnitsPerTotalAggregation: total?.isZero() ? null : total,
  };
}

/**
 * Example: 2.99 % + 2, at least 1.75 and at most 12; transactions 10, 80, 10000 -> 2.299 + 4.392 + 12 = 18.691.
 */
function ratePerTransaction(model: PercentageModel, usage: MeteredUsage, values: readonly Decimal[]): RatedAmount {
  let running = ZERO;
  const free = freeAllowance(
    model,
    values.map((value) => (running = running.plus(value))),
    values.length,
  );
  let freeLeft = free.units;
  const transactions = values.map((value, index) => {
    const freePart = index < free.events ? value : Decimal.min(freeLeft, value);
    freeLeft = atLeastZero(freeLeft.minus(freePart));
    if (index < free.events) return { priced: ZERO, clamped: ZERO, fixed: ZERO };
    const priced = percentOf(model, value.minus(freePart));
    return { priced, clamped: clampTransaction(model, priced.plus(model.fixedAmount)), fixed: model.fixedAmount };
  });
  const priced = sumDecimals(transactions.map((transaction) => transaction.priced));
  const fixed = sumDecimals(transactions.map((transaction) => transaction.fixed));
  const amount = sumDecimals(transactions.map((transaction) => transaction.clamped));
  return ratedPercentage(model, usage, {
    amount,
    free,
    paidUnits: atLeastZero(usage.units.minus(free.units)),
    paidEvents: values.length - free.events,
    priced,
    fixed,
    adjustment: amount.minus(priced).minus(fixed),
  });
}

/**
 * The price of a single event without any history; bounds and fixed amount also hold for an event of zero units.
 *
 * Example: 12 % + 2, at least 13; 0 units -> 13.
 */
export function ratePercentageTransaction(model: PercentageModel, units: Decimal): Decimal {
  return clampTransaction(model, percentOf(model, atLeastZero(units)).plus(model.fixedAmount));
}

function clampTransaction(model: PercentageModel, amount: Decimal): Decimal {
  const { perTransactionMinAmount: least, perTransactionMaxAmount: most } = model;
  const raised = least === null ? amount : Decimal.max(amount, least);
  return most === null ? raised : Decimal.min(raised, most);
}

function percentOf(model: PercentageModel, units: Decimal): Decimal {
  return units.times(model.rate).div(HUNDRED);
}

function ratedPercentage(
  model: PercentageModel,
  usage: MeteredUsage,
  parts: {
    readonly amount: Decimal;
    readonly free: FreeAllowance;
    readonly paidUnits: Decimal;
    readonly paidEvents: number;
    readonly priced: Decimal;
    readonly fixed: Decimal;
    readonly adjustment: Decimal;
  },
): RatedAmount {
  return {
    kind: 'rated-amount',
    amount: parts.amount,
    unitAmount: ratioOrZero(parts.amount, usage.units),
    units: usage.units,
    amountDetails: {
      units: railsDecimal(usage.units),
      free_units: railsDecimal(parts.free.units),
      paid_units: railsDecimal(parts.paidUnits),
      free_events: parts.free.events,
      rate: railsDecimal(model.rate),
      per_unit_total_amount: railsDecimal(parts.priced),
      paid_events: parts.paidEvents,
      fixed_fee_unit_amount: railsDecimal(model.fixedAmount),
      fixed_fee_total_amount: railsDecimal(parts.fixed),
      min_max_adjustment_total_amount: railsDecimal(parts.adjustment),
    },
  };
}
