import type { PricedRange, VolumeModel } from '../catalog/charge.js';
import { invariant } from '../invariant.js';
import { railsDecimal } from '../money/decimal-string.js';
import { ratioOrZero, type Decimal } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';
import { tiersTouch } from './tiers.js';

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
      flat_unit_amount: tier.flatAmount.toFixed(),
      per_unit_amount: railsDecimal(ratioOrZero(priced, fullUnits)),
      per_unit_total_amount: priced.isZero() ? '0.0' : priced.toFixed(),
    },
  };
}

/** Tiers by whole units take the next whole unit of a fraction: 100.5 is in 101-200. Touching tiers need no such step. */
function tierHit(ranges: readonly PricedRange[], units: Decimal): PricedRange {
  const position = tiersTouch(ranges) ? units : units.ceil();
  const tier = ranges.find(({ toValue }) => toValue === null || position.lessThanOrEqualTo(toValue));
  invariant(tier, 'The last tier of a volume price is open');
  return tier;
}
