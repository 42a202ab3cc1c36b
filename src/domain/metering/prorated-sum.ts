import type { Instant } from '../calendar/instant.js';
import { localDate, startOfLocalDay, type TimeZone } from '../calendar/time-zone.js';
import { Decimal, ZERO } from '../money/decimal.js';
import { billedDays } from '../proration/day-count.js';
import type { MeteredEvent } from './metered-event.js';
import { comparePositions } from './partial-aggregate.js';

/** The billed part of a period, half-open, with the days of the full period. */
export interface ProratedSpan {
  readonly from: Instant;
  readonly to: Instant;
  readonly periodDays: number;
  readonly zone: TimeZone;
}

/** Units of a recurring metric weighted by the share of the period in which they are there. */
export interface ProratedUnits {
  readonly kind: 'prorated-units';
  /** Rounded up at 5 decimals. */
  readonly units: Decimal;
  /** Not weighted: they choose tiers and divide unit prices. */
  readonly fullUnits: Decimal;
  readonly eventsCount: number;
  /** Full and weighted units of each step in time, what came before the period first. */
  readonly steps: readonly { readonly units: Decimal; readonly prorated: Decimal }[];
}

const PRORATED_DECIMALS = 5;
/** Thirty-firsts of a period have no last decimal. What their sum is off by, far behind the point, is not rounded up. */
const EXACT_DECIMALS = 30;

/** What the units of a metric change by at an instant. */
export interface UnitChange {
  readonly at: Instant;
  readonly units: Decimal;
}

/** The units of a sum over time, however many events they come from. */
export interface UnitHistory {
  /** What was there before the span; null when nothing ever was. */
  readonly carried: Decimal | null;
  /** Those of the span, in billing order. Changes of one local day weigh the same: they may stand as one. */
  readonly changes: readonly UnitChange[];
  /** Of all events that count, before the span and in it. */
  readonly eventsCount: number;
}

/**
 * Prorated recurring sum (reference 2.3): what was there before counts for the billed days, a new value for the days from
 * its own to the end, both included. Events after the span are ignored.
 *
 * Example: 5 before, 12 and 12 with 6 of 31 days left -> 5 + 24 × 6 ÷ 31 = 9.64517 (rounded up), full 29.
 */
export function proratedSum(events: readonly MeteredEvent[], span: ProratedSpan): ProratedUnits {
  const counted = events.filter((event) => event.counted && event.at < span.to).sort(comparePositions);
  const persisted = counted.filter((event) => event.at < span.from);
  const history: UnitHistory = {
    carried: persisted.length === 0 ? null : persisted.reduce((sum, event) => sum.plus(event.value ?? ZERO), ZERO),
    changes: counted.filter((event) => event.at >= span.from).map(({ at, value }) => ({ at, units: value ?? ZERO })),
    eventsCount: counted.length,
  };
  return proratedHistory(history, span);
}

/**
 * The same of units that were added up day by day.
 *
 * Example: 5 before, 24 on a day with 6 of 31 days left -> 5 + 24 × 6 ÷ 31 = 9.64517 (rounded up), full 29.
 */
export function proratedHistory({ carried, changes, eventsCount }: UnitHistory, span: ProratedSpan): ProratedUnits {
  // Local days, the first one in full: the hour of an event and that of a termination do not take a day from each other.
  const dayOf = (at: Instant) => startOfLocalDay(localDate(at, span.zone), span.zone);
  const share = (at: Instant) =>
    new Decimal(billedDays({ from: dayOf(at), to: span.to }, span.zone)).div(span.periodDays);
  const steps = [
    ...(carried === null ? [] : [{ units: carried, prorated: carried.times(share(span.from)) }]),
    ...changes.map(({ at, units }) => ({ units, prorated: units.times(share(at)) })),
  ];
  return proratedUnits(steps, eventsCount);
}

/** Weighted units as they are billed: rounded up at 5 decimals (reference 2.3). */
export function roundProrated(units: Decimal): Decimal {
  return units.toDecimalPlaces(EXACT_DECIMALS).toDecimalPlaces(PRORATED_DECIMALS, Decimal.ROUND_CEIL);
}

/**
 * Example: things there for 7, 24 and 31 of 31 days -> 0.2258… + 0.7741… + 1 = 2, not 2.00001.
 */
export function proratedUnits(steps: ProratedUnits['steps'], eventsCount: number): ProratedUnits {
  const prorated = steps.reduce((sum, step) => sum.plus(step.prorated), ZERO);
  return {
    kind: 'prorated-units',
    units: roundProrated(prorated),
    fullUnits: steps.reduce((sum, step) => sum.plus(step.units), ZERO),
    eventsCount,
    steps,
  };
}
