import { Decimal, ZERO } from '../money/decimal.js';
import type { ProratedUnits } from './prorated-sum.js';

/** The highest level that usage reached, which is what was paid for in advance. */
export interface HighWater {
  readonly units: Decimal;
  /** What was added to reach it, weighted by the time from each addition on; rounded up at 5 decimals. */
  readonly proratedUnits: Decimal;
}

const PRORATED_DECIMALS = 5;

/**
 * The peak of a level that steps move, what came before the period first. Of a step that passes the peak only what lies
 * above it counts; what is taken away is not given back (reference 2.3).
 *
 * Example: 10 with 24 of 29 days left, −5, then 7 -> peak 12: 10 × 24 ÷ 29 and 2 × the share of the last.
 */
export function highWater(steps: ProratedUnits['steps']): HighWater {
  let level = ZERO;
  let peak = ZERO;
  let prorated = ZERO;
  for (const step of steps) {
    level = level.plus(step.units);
    if (level.lessThanOrEqualTo(peak)) continue;
    prorated = prorated.plus(step.prorated.times(level.minus(peak)).div(step.units));
    peak = level;
  }
  return { units: peak, proratedUnits: prorated.toDecimalPlaces(PRORATED_DECIMALS, Decimal.ROUND_CEIL) };
}
