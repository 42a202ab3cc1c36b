import type { Instant } from '../calendar/instant.js';
import { epochDay } from '../calendar/local-date.js';
import { localDate, type TimeZone } from '../calendar/time-zone.js';
import { invariant } from '../invariant.js';
import { Decimal, ZERO } from '../money/decimal.js';
import { billedDays } from './day-count.js';

/** A fixed charge has this many units from the local day of `at` on, until the next change replaces them. */
export interface UnitsChange {
  readonly at: Instant;
  readonly units: Decimal;
}

export interface FixedChargeUnits {
  /** The units in force at the end: they choose the tier and divide the unit price. */
  readonly fullUnits: Decimal;
  /** The units weighted by the days they were in force, 6 decimals: they are priced. */
  readonly proratedUnits: Decimal;
}

const PRORATED_UNITS_DECIMALS = 6;

/**
 * The units in force at an instant: those of the last change up to it.
 *
 * Example: 10 from 1 March, 15 from 6 March on; on 5 March -> 10.
 */
export function unitsInForce(changes: readonly UnitsChange[], at: Instant): Decimal {
  let last: UnitsChange | null = null;
  for (const change of changes) if (change.at <= at && (last === null || change.at >= last.at)) last = change;
  return last?.units ?? ZERO;
}

/**
 * Units of a fixed charge billed at the end of a period (reference 1.4). Several changes on one day: the last one counts.
 *
 * Example: 10 units from 29 March on, of a period to 31 March with 31 days -> 10 × 3 ÷ 31 = 0.967742, full 10.
 */
export function fixedChargeUnitsInArrears(input: {
  readonly changes: readonly UnitsChange[];
  readonly from: Instant;
  readonly to: Instant;
  readonly periodDays: number;
  readonly zone: TimeZone;
}): FixedChargeUnits {
  const day = (at: Instant) => epochDay(localDate(at, input.zone));
  const firstDay = day(input.from);
  const endDay = firstDay + billedDays(input, input.zone);
  const inTime = input.changes.filter((change) => change.at < input.to).sort((a, b) => a.at - b.at);

  let unitDays = ZERO;
  for (const [index, change] of inTime.entries()) {
    const next = inTime[index + 1];
    const start = Math.max(day(change.at), firstDay);
    const end = Math.min(next ? day(next.at) : endDay, endDay);
    if (end > start) unitDays = unitDays.plus(change.units.times(end - start));
  }
  return {
    fullUnits: inTime.at(-1)?.units ?? ZERO,
    proratedUnits: unitDays.div(input.periodDays).toDecimalPlaces(PRORATED_UNITS_DECIMALS),
  };
}

/**
 * Units to charge at once when the units of a fixed charge paid in advance change: only those above what was
 * already billed in the running period; a decrease is neither billed nor refunded.
 *
 * Example: 10 and then 5 more were billed in this period; a change to 20 charges 20 − 15 = 5.
 */
export function fixedChargeUnitsInAdvance(newUnits: Decimal, alreadyBilled: readonly Decimal[]): Decimal {
  const billed = alreadyBilled.reduce((sum, units) => sum.plus(units), ZERO);
  const unbilled = newUnits.minus(billed);
  return unbilled.isNegative() ? ZERO : unbilled;
}

/**
 * Units of a fixed charge paid in advance, weighted by the days that are left of their period when they are prorated.
 *
 * Example: 10 units from 19 July on of a period to 31 July with 31 days -> full 10, weighted 10 × 13 ÷ 31 = 4.193548.
 */
export function fixedChargeUnitsAhead(input: {
  readonly units: Decimal;
  readonly prorated: boolean;
  readonly from: Instant;
  readonly to: Instant;
  readonly periodDays: number;
  readonly zone: TimeZone;
}): FixedChargeUnits {
  const { units, prorated } = input;
  if (!prorated) return { fullUnits: units, proratedUnits: units };
  const weighted = units.times(billedDays(input, input.zone)).div(input.periodDays);
  return { fullUnits: units, proratedUnits: weighted.toDecimalPlaces(PRORATED_UNITS_DECIMALS) };
}

/**
 * The share of a period that is left from a day on, that day included.
 *
 * Example: from 15 March of a period to 31 March -> 17 ÷ 31.
 */
export function remainingShare(input: {
  readonly at: Instant;
  readonly to: Instant;
  readonly periodDays: number;
  readonly zone: TimeZone;
}): Decimal {
  invariant(input.periodDays > 0, 'A period has at least one day');
  return new Decimal(billedDays({ from: input.at, to: input.to }, input.zone)).div(input.periodDays);
}
