import type { GraduatedModel, PricedRange } from '../catalog/charge.js';
import { railsDecimal } from '../money/decimal-string.js';
import { ratioOrZero, sumDecimals, ZERO, type Decimal } from '../money/decimal.js';
import { rateGraduatedProrated } from './graduated-prorated.js';
import type { AmountDetails, MeteredUsage, RatedAmount } from './rated-amount.js';
import { boundDetails, tiersEntered, tiersTouch, unitsInTier } from './tiers.js';

/**
 * Each unit has the price of the tier it falls into; every tier entered adds its flat amount, the first one even at 0 units.
 * Prorated units are spread over the tiers that the full units fill.
 *
 * Example: 0-10 @ 10 + 2, 11-20 @ 5 + 3; 11 units -> 10 × 10 + 2 + 1 × 5 + 3 = 110.
 */
export function rateGraduated(model: GraduatedModel, usage: MeteredUsage): RatedAmount {
  const steps = usage.proratedSteps ?? (usage.fullUnits && [{ units: usage.fullUnits, prorated: usage.units }]);
  if (steps) return rateGraduatedProrated(model, usage, steps);
  const touching = tiersTouch(model.ranges);
  const shares = tiersEntered(model.ranges, usage.units, touching).map((tier) => ({
    tier,
    share: graduatedShare(tier, usage.units, touching),
  }));
  const amount = sumDecimals(shares.map(({ share }) => share.total));
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: ratioOrZero(amount, usage.units),
    units: usage.units,
    amountDetails: {
      graduated_ranges: shares.map(({ tier, share }) => ({ ...boundDetails(tier), ...share.details })),
    },
  };
}

/**
 * What one tier contributes when the whole charge has this many units.
 *
 * Example: tier 0-10 @ 10 + 2 of 15 units -> 10 units, 100, with flat amount 102.
 */
export function graduatedShare(
  tier: PricedRange,
  totalUnits: Decimal,
  touching: boolean,
): { readonly total: Decimal; readonly details: AmountDetails } {
  const units = unitsInTier(tier, totalUnits, touching);
  const priced = units.times(tier.perUnitAmount);
  const total = priced.plus(tier.flatAmount);
  return {
    total,
    details: {
      flat_unit_amount: railsDecimal(tier.flatAmount),
      // A tier without units shows no price: nothing was sold at it.
      per_unit_amount: railsDecimal(totalUnits.isZero() ? ZERO : tier.perUnitAmount),
      units: railsDecimal(units),
      per_unit_total_amount: railsDecimal(priced),
      total_with_flat_amount: railsDecimal(total),
    },
  };
}
