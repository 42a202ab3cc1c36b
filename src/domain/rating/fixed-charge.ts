import type { FixedCharge } from '../catalog/plan.js';
import { ratioOrZero, type Decimal } from '../money/decimal.js';
import type { FixedChargeUnits } from '../proration/fixed-charge.js';
import { rate } from './rate.js';
import type { RatedAmount } from './rated-amount.js';

/**
 * The price of a fixed charge for a period: full units choose the tier and divide the unit amount, weighted ones are priced
 * (reference 1.4).
 *
 * Example: 10 units at 200 in advance from 4 February 2024 on (26 of 29 days) -> 8.965517 × 200 = 1,793.1034.
 */
export function rateFixedCharge(
  fixedCharge: Pick<FixedCharge, 'model' | 'prorated'>,
  units: FixedChargeUnits,
): RatedAmount {
  const { fullUnits, proratedUnits } = units;
  const { model, prorated } = fixedCharge;
  return rate(
    model,
    prorated ? { units: proratedUnits, fullUnits, eventsCount: 0 } : { units: fullUnits, eventsCount: 0 },
  );
}

/**
 * The price of units that are added to those already billed in a period: what all of them cost less what was billed, so
 * that a tier's flat amount is paid once. Of a prorated charge only the added ones are weighted.
 *
 * Example: 0-10 @ 1 + 5, 11+ @ 2 + 7; 10 billed and 4 added -> 4 × 2 + 7 = 15.
 */
export function rateFixedChargeIncrease(
  fixedCharge: Pick<FixedCharge, 'model' | 'prorated'>,
  billedUnits: Decimal,
  added: FixedChargeUnits,
): RatedAmount {
  const all = rateFixedCharge(fixedCharge, {
    fullUnits: billedUnits.plus(added.fullUnits),
    proratedUnits: billedUnits.plus(added.proratedUnits),
  });
  if (billedUnits.isZero()) return all;
  const before = rateFixedCharge(fixedCharge, { fullUnits: billedUnits, proratedUnits: billedUnits });
  const amount = all.amount.minus(before.amount);
  return {
    kind: 'rated-amount',
    amount,
    unitAmount: ratioOrZero(amount, added.fullUnits),
    units: added.proratedUnits,
    amountDetails: {},
  };
}
