import { ZERO } from '../../money/decimal.js';
import type { Aggregation } from './aggregation.js';

/** The sum of a property; negative values correct earlier ones. Example: 10.5, 2, −1 -> 11.5. */
export const sum: Aggregation = {
  observe: (event) => ({ sum: event.value ?? ZERO, preciseTotalAmountCents: event.preciseTotalAmountCents }),
  units: (partial) => partial.sum,
};
