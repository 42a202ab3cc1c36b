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

/**
 * Prorated recurring sum (reference 2.3): what was there before counts for the billed days, a new value for the days from
 * its own to the end, both included. Events after the span are ignored.
 *
 * Example: 5 before, 12 and 12 with 6 of 31 days left -> 5 + 24 × 6 ÷ 31 = 9.64517 (rounded up), full 29.
 */
export function proratedSum(events: readonly MeteredEvent[], span: ProratedSpan): ProratedUnits {
  const counted = events.filter((event) => event.counted && event.at < span.to).sort(comparePositions);
  // Local days, the first one in full: the hour of an event and that of a termination do not take a day from each other.
  const dayOf = (at: Instant) => startOfLocalDay(localDate(at, span.zone), span.zone);
  const share = (at: Instant) =>
    new Decimal(billedDays({ from: dayOf(at), to: span.to }, span.zone)).div(span.periodDays);

  const persisted = counted.filter((event) => event.at < span.from);
  const before = persisted.reduce((sum, event) => sum.plus(event.value ?? ZERO), ZERO);
  const added = counted.filter((event) => event.at >= span.from);
  const steps = [
    ...(persisted.length > 0 ? [{ units: before, prorated: before.times(share(span.from)) }] : []),
    ...added.map(({ at, value }) => ({ units: value ?? ZERO, prorated: (value ?? ZERO).times(share(at)) })),
  ];
  return proratedUnits(steps, counted.length);
}

/**
 * Example: things there for 7, 24 and 31 of 31 days -> 0.2258… + 0.7741… + 1 = 2, not 2.00001.
 */
export function proratedUnits(steps: ProratedUnits['steps'], eventsCount: number): ProratedUnits {
  const prorated = steps.reduce((sum, step) => sum.plus(step.prorated), ZERO);
  return {
    kind: 'prorated-units',
    units: prorated.toDecimalPlaces(EXACT_DECIMALS).toDecimalPlaces(PRORATED_DECIMALS, Decimal.ROUND_CEIL),
    fullUnits: steps.reduce((sum, step) => sum.plus(step.units), ZERO),
    eventsCount,
    steps,
  };
}
