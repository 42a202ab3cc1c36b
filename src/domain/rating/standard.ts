import type { StandardModel } from '../catalog/charge.js';
import { ratioOrZero } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';

/**
 * Every unit has the same price. The unit amount divides by the full units of a prorated charge.
 *
 * Example: 10 units at 5.12345 -> 51.2345.
 */
export function rateStandard(model: StandardModel, usage: MeteredUsage): RatedAmount {
  const amount = usage.units.times(model.amount);
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: ratioOrZero(amount, usage.fullUnits ?? usage.units),
    units: usage.units,
    amountDetails: {},
  };
}
