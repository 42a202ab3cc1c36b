import { Decimal } from '../../money/decimal.js';
import { positionOf } from '../partial-aggregate.js';
import type { Aggregation } from './aggregation.js';

/**
 * The number of distinct values that are present at the end: those whose last operation is an addition. Adding again and
 * removing what was never added change nothing. Example: add a, add a, add b, remove a -> 1.
 */
export const uniqueCount: Aggregation = {
  observe: (event) =>
    event.uniqueValue === null
      ? {}
      : { uniques: new Map([[event.uniqueValue, { ...positionOf(event), operation: event.operation }]]) },
  units: (partial) => {
    let present = 0;
    for (const { operation } of partial.uniques.values()) if (operation === 'add') present += 1;
    return new Decimal(present);
  },
};
