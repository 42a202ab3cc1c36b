import type { MetricRounding } from '../catalog/billable-metric.js';
import { Decimal } from '../money/decimal.js';

/**
 * Rounds the units of a period as the metric says; without a rule they stay as they are (reference 2.3).
 *
 * Example: 12.345, ceil, 1 -> 12.4; 12.345, round, −1 -> 10.
 */
export function roundUnits(units: Decimal, rounding: MetricRounding | null | undefined): Decimal {
  if (!rounding) return units;
  const unit = new Decimal(10).pow(-(rounding.precision ?? 0));
  return units.div(unit).toDecimalPlaces(0, MODES[rounding.function]).times(unit);
}

const MODES = {
  round: Decimal.ROUND_HALF_UP,
  ceil: Decimal.ROUND_CEIL,
  floor: Decimal.ROUND_FLOOR,
} as const;
