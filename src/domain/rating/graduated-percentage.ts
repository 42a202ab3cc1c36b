import type { GraduatedPercentageModel, RatedRange } from '../catalog/charge.js';
import { railsDecimal } from '../money/decimal-string.js';
import { HUNDRED, ratioOrZero, sumDecimals, type Decimal } from '../money/decimal.js';
import type { AmountDetails, MeteredUsage, RatedAmount } from './rated-amount.js';
import { boundDetails, tiersEntered, tiersTouch, unitsInTier } from './tiers.js';

/**
 * A percentage of the units, by the tier they fall into, plus the flat amount of every tier entered.
 *
 * Example: 0-10 1 % + 200, 11-20 2 % + 300; 11 units -> 10 × 1 % + 200 + 1 × 2 % + 300 = 500.12.
 */
export function rateGraduatedPercentage(model: GraduatedPercentageModel, usage: MeteredUsage): RatedAmount {
  const touching = tiersTouch(model.ranges);
  const shares = tiersEntered(model.ranges, usage.units, touching).map((tier) => ({
    tier,
    share: graduatedPercentageShare(tier, usage.units, touching),
  }));
  const amount = sumDecimals(shares.map(({ share }) => share.total));
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: ratioOrZero(amount, usage.fullUnits ?? usage.units),
    units: usage.units,
    amountDetails: {
      graduated_percentage_ranges: shares.map(({ tier, share }) => ({ ...boundDetails(tier), ...share.details })),
    },
  };
}

/**
 * What one tier contributes when the whole charge has this many units.
 *
 * Example: tier 7-10 2.9 % + 2 of 15 units -> 4 units, 0.116, with flat amount 2.116.
 */
export function graduatedPercentageShare(
  tier: RatedRange,
  totalUnits: Decimal,
  touching: boolean,
): { readonly total: Decimal; readonly details: AmountDetails } {
  const units = unitsInTier(tier, totalUnits, touching);
  const priced = units.times(tier.rate).div(HUNDRED);
  const total = priced.plus(tier.flatAmount);
  return {
    total,
    details: {
      flat_unit_amount: railsDecimal(tier.flatAmount),
      rate: railsDecimal(tier.rate),
      units: railsDecimal(units),
      per_unit_total_amount: railsDecimal(priced),
      total_with_flat_amount: railsDecimal(total),
    },
  };
}
