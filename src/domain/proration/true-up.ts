import { Decimal } from '../money/decimal.js';
import { roundMinor } from '../money/money.js';

export interface TrueUp {
  readonly kind: 'true-up';
  readonly amountMinor: number;
  /** Unrounded, in minor units. */
  readonly preciseAmountMinor: Decimal;
}

/**
 * What is missing to the spending minimum of a charge: minimum × billed days ÷ days of the period − used. `null` when
 * nothing is missing (reference 2.4).
 *
 * Example: 1,000 for 25 of 28 days with 800 used -> 892.857 − 800 -> 93.
 */
export function spendingMinimumTrueUp(input: {
  readonly minAmountMinor: number;
  readonly usedAmountMinor: number | Decimal;
  readonly billedDays: number;
  readonly periodDays: number;
}): TrueUp | null {
  const due = new Decimal(input.minAmountMinor).times(input.billedDays).div(input.periodDays);
  const preciseAmountMinor = due.minus(input.usedAmountMinor);
  if (!preciseAmountMinor.isPositive() || preciseAmountMinor.isZero()) return null;
  return { kind: 'true-up', amountMinor: roundMinor(preciseAmountMinor), preciseAmountMinor };
}
