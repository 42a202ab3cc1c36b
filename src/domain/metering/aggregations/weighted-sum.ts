import { DAY } from '../../calendar/instant.js';
import { invariant } from '../../invariant.js';
import { Decimal, ZERO } from '../../money/decimal.js';
import type { Aggregation } from './aggregation.js';

const DECIMALS = 20;

/**
 * The average level over the full period, where each event changes the level from its instant on. The area under the
 * level is Σ value × (to − at) = to × Σ value − Σ value × at, so two sums are all that has to be kept of the events.
 * Rounded up at 20 decimals (reference 2.3). Example: +10 at the middle of the period -> 5.
 */
export const weightedSum: Aggregation = {
  observe: (event) => (event.value === null ? {} : { sum: event.value, moment: event.value.times(event.at) }),
  units: (partial, span) => {
    invariant(span, 'A weighted sum is weighted over a span of time');
    const carried = (span.carriedLevel ?? ZERO).times(span.to - span.from);
    const area = carried.plus(partial.sum.times(span.to)).minus(partial.moment);
    return area.div(new Decimal(span.periodDays).times(DAY)).toDecimalPlaces(DECIMALS, Decimal.ROUND_CEIL);
  },
};
