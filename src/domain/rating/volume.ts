import type { PricedRange, VolumeModel } from '../catalog/charge.js';
import { invariant } from '../invariant.js';
import { railsDecimal } from '../money/decimal-string.js';
import { ratioOrZero, type Decimal } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';

/**
 * All units have the price of the one tier that the total hits; its flat amount is due even at 0 units. A prorated charge
 * is in the tier of its full units, pays for the weighted ones, and its unit amount divides by the full ones.
 *
 * Example: 0-100 @ 2 + 10, 101-200 @ 1 + 0; 100 units -> 210, 100.5 units -> 100.5.
 */
export function rateVolume(model: VolumeModel, usage: MeteredUsage): RatedAmount {
  const fullUnits = usage.fullUnits ?? usage.units;
  const tier = tierHit(model.ranges, fullUnits);
  const priced = usage.units.times(tier.perUnitAmount);
  const amount = priced.plus(tier.flatAmount);
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: ratioOrZero(amount, fullUnits),
    units: usage.units,
    amountDetails: {
      flat_unit_amount: railsDecimal(tier.flatAmount),
      per_unit_amount: railsDecimal(ratioOrZero(priced, fullUnits)),
      per_unit_total_amount: railsDecimal(priced),
    },
  };
}

/**
 * The first tier that reaches up to the units. Of tiers by one (0-100, 101-200) the second takes what lies between them:
 * 100.5 units are past 100, as if rounded up to the next whole unit.
 */
function tierHit(ranges: readonly PricedRange[], units: Decimal): PricedRange {
  const tier = ranges.find(({ toValue }) => toValue === null || units.lessThanOrEqualTo(toValue));
  invariant(tier, 'The last tier of a volume price is open');
  return tier;
}
