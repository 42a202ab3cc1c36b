import { Decimal } from '../money/decimal.js';

export interface AlertThresholds {
  readonly direction: 'increasing' | 'decreasing';
  readonly oneTime: readonly Decimal[];
  /** Repeats from the last one-time threshold on, in the alert's direction. */
  readonly recurringStep: Decimal | null;
}

/**
 * The thresholds crossed on the way from one value to the next, ascending; a value reached exactly is crossed.
 *
 * Example: 10, 30, 50 and every 100 more; from 33 to 351 -> 50, 150, 250, 350.
 */
export function crossedThresholds(alert: AlertThresholds, previous: Decimal, current: Decimal): Decimal[] {
  const oneTime = alert.oneTime.filter((threshold) =>
    alert.direction === 'increasing'
      ? threshold.greaterThan(previous) && threshold.lessThanOrEqualTo(current)
      : threshold.lessThan(previous) && threshold.greaterThanOrEqualTo(current),
  );
  return [...oneTime, ...crossedSteps(alert, previous, current)].sort((a, b) => a.comparedTo(b));
}

function crossedSteps(
  { direction, oneTime, recurringStep }: AlertThresholds,
  previous: Decimal,
  current: Decimal,
): Decimal[] {
  if (recurringStep === null || !recurringStep.greaterThan(0)) return [];
  const rises = direction === 'increasing';
  if (rises ? current.lessThanOrEqualTo(previous) : current.greaterThanOrEqualTo(previous)) return [];
  // Seen along the direction, so that both directions count steps upwards from the last one-time threshold.
  const along = (value: Decimal) => (rises ? value : value.negated());
  const start = oneTime.length === 0 ? new Decimal(0) : Decimal.max(...oneTime.map(along));
  const stepsAt = (value: Decimal) => along(value).minus(start).div(recurringStep);
  // A falling value that stood exactly on a step crosses it again when it falls on.
  const before = stepsAt(previous);
  const first = Math.max(1, (rises ? before.floor().plus(1) : before.ceil()).toNumber());
  const last = stepsAt(current).floor().toNumber();
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
    along(start.plus(recurringStep.times(first + index))),
  );
}
