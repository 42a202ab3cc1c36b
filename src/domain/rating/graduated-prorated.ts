import type { GraduatedModel } from '../catalog/charge.js';
import { atLeastZero, Decimal, ratioOrZero, sumDecimals, ZERO } from '../money/decimal.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';
import { tierFloor, tiersTouch } from './tiers.js';

/**
 * Graduated prices on units weighted by time: full units fill the tiers, in the order of events; an event that spans
 * tiers splits its weighted units in the same proportion, and each part is priced in its tier. Removals leave from the
 * top. Flat amounts are never weighted, and a tier once reached keeps its flat amount.
 *
 * Example: 0-5 @ 10 + 100, 6+ @ 5 + 50; events 5, 5, 10, −6 weighted 3.5, 2.66667, 2, −2.2
 * -> 3.5 × 10 + 100 + (2.66667 + 2 − 2.2) × 5 + 50 = 197.33.
 */
export function rateGraduatedProrated(
  model: GraduatedModel,
  usage: MeteredUsage,
  steps: readonly { readonly units: Decimal; readonly prorated: Decimal }[],
): RatedAmount {
  const touching = tiersTouch(model.ranges);
  const tiers = model.ranges.map((range) => ({ range, floor: tierFloor(range, touching) }));
  let level = ZERO;
  let highest = ZERO;
  let priced = ZERO;
  for (const { units, prorated } of steps) {
    const next = level.plus(units);
    for (const [index, { range, floor }] of tiers.entries()) {
      // Below zero there is only the first tier: what was removed too much is given back at its price.
      const bottom = index === 0 ? null : floor;
      const moved = within(next, bottom, range.toValue).minus(within(level, bottom, range.toValue));
      if (!units.isZero()) priced = priced.plus(prorated.times(moved).div(units).times(range.perUnitAmount));
    }
    level = next;
    highest = Decimal.max(highest, level);
  }
  const reached = tiers.filter(({ floor }, index) => index === 0 || highest.greaterThan(floor));
  const amount = atLeastZero(priced.plus(sumDecimals(reached.map(({ range }) => range.flatAmount))));
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: level.isPositive() ? ratioOrZero(amount, level) : ZERO,
    units: usage.units,
    amountDetails: {},
  };
}

/** The level cut to a tier. */
function within(level: Decimal, bottom: Decimal | null, top: Decimal | null): Decimal {
  const capped = top === null ? level : Decimal.min(level, top);
  return bottom === null ? capped : Decimal.max(capped, bottom);
}
