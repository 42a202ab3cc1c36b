import { Decimal } from '../../money/decimal.js';
import type { Aggregation } from './aggregation.js';

/** The number of events. Example: 3 events -> 3. */
export const count: Aggregation = {
  observe: () => ({}),
  units: (partial) => new Decimal(partial.eventsCount),
};
