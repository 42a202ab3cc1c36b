import { ZERO } from '../../money/decimal.js';
import type { Aggregation } from './aggregation.js';

/** The largest value of a property, 0 when there is none. Example: 4, 9, 2 -> 9. */
export const max: Aggregation = {
  observe: (event) => ({ max: event.value }),
  units: (partial) => partial.max ?? ZERO,
};
