import type { Decimal } from '../money/decimal.js';
import { ZERO } from '../money/decimal.js';
import { comparePositions } from './partial-aggregate.js';
import type { MeteredEvent } from './metered-event.js';

/**
 * The values of the counted events in billing order (time, then arrival): the transactions of a percentage charge.
 */
export function transactionValues(events: Iterable<MeteredEvent>): Decimal[] {
  return Array.from(events)
    .filter((event) => event.counted)
    .sort(comparePositions)
    .map((event) => event.value ?? ZERO);
}

/**
 * Cumulated values of the first transactions: what the free allowance of a percentage charge is measured against. Stops
 * after `limit` events, or after the first total above `enough`.
 *
 * Example: 50, 100, 250, 400 with limit 3 -> 50, 150, 400.
 */
export function runningTotals(
  values: readonly Decimal[],
  bounds: { readonly limit?: number | null; readonly enough?: Decimal | null } = {},
): Decimal[] {
  const totals: Decimal[] = [];
  let total = ZERO;
  for (const value of values) {
    if (bounds.limit != null && totals.length >= bounds.limit) break;
    total = total.plus(value);
    totals.push(total);
    if (bounds.enough != null && total.greaterThan(bounds.enough)) break;
  }
  return totals;
}
