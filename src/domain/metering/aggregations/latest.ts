import { ZERO } from '../../money/decimal.js';
import { positionOf } from '../partial-aggregate.js';
import type { Aggregation } from './aggregation.js';

/** The value of the last event by time, then by arrival. Example: 5, 7, 3 -> 3. */
export const latest: Aggregation = {
  observe: (event) => ({ latest: event.value && { ...positionOf(event), value: event.value } }),
  units: (partial) => partial.latest?.value ?? ZERO,
};
