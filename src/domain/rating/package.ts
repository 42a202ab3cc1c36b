import type { PackageModel } from '../catalog/charge.js';
import { railsDecimal } from '../money/decimal-string.js';
import { atLeastZero, ratioOrZero, ZERO } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';

/**
 * Units above the free ones are sold in packages; a started package is paid in full. The unit amount divides by the paid
 * units.
 *
 * Example: 100 per package of 10, 10 free; 121 units -> 111 paid -> 12 packages -> 1,200.
 */
export function ratePackage(model: PackageModel, usage: MeteredUsage): RatedAmount {
  const paidUnits = atLeastZero(usage.units.minus(model.freeUnits));
  const amount = paidUnits.div(model.packageSize).ceil().times(model.amount);
  return {
    kind: 'rated-amount',
    amount: paidUnits.isZero() ? ZERO : amount,
    unitAmount: ratioOrZero(amount, paidUnits),
    units: usage.units,
    amountDetails: {
      free_units: railsDecimal(model.freeUnits),
      paid_units: railsDecimal(paidUnits),
      per_package_size: model.packageSize.toNumber(),
      per_package_unit_amount: railsDecimal(model.amount),
    },
  };
}
