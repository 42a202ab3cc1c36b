import type { Instant } from '../calendar/instant.js';
import { Decimal, ZERO } from '../money/decimal.js';
import type { MeteredEvent, Operation } from './metered-event.js';

/** Position of an event in the order that aggregations see: by timestamp, then by arrival. */
export interface Position {
  readonly at: Instant;
  readonly sequence: number;
}

export interface LatestValue extends Position {
  readonly value: Decimal;
}

export interface LatestOperation extends Position {
  readonly operation: Operation;
}

/**
 * What is known of a set of events. Partials of disjoint sets merge into the partial of their union, in any grouping and
 * order; so stored buckets, a cache and a fold over raw events all give the same units. Only the field that the metric's
 * aggregation needs is filled.
 */
export interface PartialAggregate {
  readonly kind: 'partial-aggregate';
  readonly eventsCount: number;
  readonly sum: Decimal;
  /** Σ value × epoch milliseconds: with the sum it gives the area under a level that the values change. */
  readonly moment: Decimal;
  /** Σ of what the events say they cost, in hundredths of the currency unit. */
  readonly preciseTotalAmountCents: Decimal;
  readonly max: Decimal | null;
  readonly latest: LatestValue | null;
  /** Last operation on each distinct value. */
  readonly uniques: ReadonlyMap<string, LatestOperation>;
}

export const EMPTY_PARTIAL: PartialAggregate = {
  kind: 'partial-aggregate',
  eventsCount: 0,
  sum: ZERO,
  moment: ZERO,
  preciseTotalAmountCents: ZERO,
  max: null,
  latest: null,
  uniques: new Map(),
};

/** Associative and commutative; `EMPTY_PARTIAL` changes nothing. */
export function mergePartials(...partials: readonly PartialAggregate[]): PartialAggregate {
  return mergeAll(partials);
}

/** `mergePartials` for any number of them: an argument list has a limit, a month of events has none. */
export function mergeAll(partials: Iterable<PartialAggregate>): PartialAggregate {
  let eventsCount = 0;
  let sum = ZERO;
  let moment = ZERO;
  let preciseTotalAmountCents = ZERO;
  let max: Decimal | null = null;
  let latest: LatestValue | null = null;
  const uniques = new Map<string, LatestOperation>();
  for (const partial of partials) {
    eventsCount += partial.eventsCount;
    sum = sum.plus(partial.sum);
    moment = moment.plus(partial.moment);
    preciseTotalAmountCents = preciseTotalAmountCents.plus(partial.preciseTotalAmountCents);
    max = larger(max, partial.max);
    latest = laterOf(latest, partial.latest);
    for (const [value, operation] of partial.uniques) {
      uniques.set(value, laterOf(uniques.get(value) ?? null, operation) ?? operation);
    }
  }
  return { kind: 'partial-aggregate', eventsCount, sum, moment, preciseTotalAmountCents, max, latest, uniques };
}

export function positionOf(event: MeteredEvent): Position {
  return { at: event.at, sequence: event.sequence };
}

export function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || a.sequence - b.sequence;
}

function larger(a: Decimal | null, b: Decimal | null): Decimal | null {
  if (a === null || b === null) return a ?? b;
  return Decimal.max(a, b);
}

function laterOf<Value extends Position>(a: Value | null, b: Value | null): Value | null {
  if (a === null || b === null) return a ?? b;
  return comparePositions(a, b) > 0 ? a : b;
}
