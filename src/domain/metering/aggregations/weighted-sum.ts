import { DAY } from '../../calendar/instant.js';
import { invariant } from '../../invariant.js';
import { Decimal, ZERO } from '../../money/decimal.js';
import type { Aggregation } from './aggregation.js';

const DECIMALS = 20;

/** What Lago's database keeps of a quotient: sixteen digits that count, a group of four digits at a time. */
const SIGNIFICANT_DIGITS = 16;

/**
 * The average level over the full period, where each event changes the level from its instant on. The area under the
 * level is Σ value × (to − at) = to × Σ value − Σ value × at, so two sums are all that has to be kept of the events.
 * Rounded up at 20 decimals (reference 2.3), of which a quotient above 1 has fewer: 2,500 for 27 of 31 days ->
 * 2177.4193548387096774. Example: +10 at the middle of the period -> 5.
 */
export const weightedSum: Aggregation = {
  observe: (event) => (event.value === null ? {} : { sum: event.value, moment: event.value.times(event.at) }),
  units: (partial, span) => {
    invariant(span, 'A weighted sum is weighted over a span of time');
    const carried = (span.carriedLevel ?? ZERO).times(span.to - span.from);
    const area = carried.plus(partial.sum.times(span.to)).minus(partial.moment);
    const average = area.div(new Decimal(span.periodDays).times(DAY));
    return average.toDecimalPlaces(decimalsOf(average)).toDecimalPlaces(DECIMALS, Decimal.ROUND_CEIL);
  },
};

function decimalsOf(quotient: Decimal): number {
  if (quotient.isZero()) return 0;
  const groups = Math.floor(quotient.e / 4);
  return Math.max(0, SIGNIFICANT_DIGITS - 4 * groups);
}
