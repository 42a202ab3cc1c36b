import { Decimal } from '../money/decimal.js';
import { roundMinor } from '../money/money.js';

/**
 * The commitment that is due for the billed days of a period, in minor units (reference 2.6).
 *
 * Example: 200,000 a year for 352 of 366 days -> 192,349.73 -> 192,350.
 */
export function commitmentDue(commitmentMinor: number, billedDays: number, periodDays: number): number {
  return roundMinor(new Decimal(commitmentMinor).times(billedDays).div(periodDays));
}

/**
 * What the fees of the period (subscription, charges, fixed charges) leave missing to the commitment; 0 when nothing.
 *
 * Example: commitment due 192,350, fees 150,000 -> 42,350.
 */
export function commitmentTrueUp(commitmentDueMinor: number, feesMinor: number): number {
  return Math.max(0, commitmentDueMinor - feesMinor);
}
