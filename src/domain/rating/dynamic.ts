import { HUNDRED, ratioOrZero, ZERO } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';

/**
 * The events carry their own amounts, in hundredths of the currency unit.
 *
 * Example: 40.2 for 20 units -> 0.402, unit amount 0.0201.
 */
export function rateDynamic(usage: MeteredUsage): RatedAmount {
  const amount = (usage.preciseTotalAmountCents ?? ZERO).div(HUNDRED);
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: ratioOrZero(amount, usage.units),
    units: usage.units,
    amountDetails: {},
  };
}
