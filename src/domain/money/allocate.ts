import { invariant } from '../invariant.js';
import { type Decimal, sumDecimals } from './decimal.js';

/**
 * Splits whole minor units by weights so that the parts sum to the whole (largest remainder; the earlier part wins a
 * tie). Weights are not negative; with no weight at all everything stays on the first part.
 *
 * Example: 100 by 1 : 1 : 1 -> 34, 33, 33.
 */
export function allocate(totalMinor: number, weights: readonly Decimal[]): number[] {
  invariant(Number.isSafeInteger(totalMinor), 'The total to allocate is a whole number of minor units');
  invariant(weights.length > 0, 'An amount is allocated to at least one part');
  invariant(
    weights.every((weight) => !weight.isNegative()),
    'Weights of an allocation are not negative',
  );
  const sign = totalMinor < 0 ? -1 : 1;
  const total = Math.abs(totalMinor);
  const weightSum = sumDecimals(weights);
  if (weightSum.isZero()) return weights.map((_, index) => (index === 0 ? totalMinor : 0));

  const exact = weights.map((weight) => weight.times(total).div(weightSum));
  const parts = exact.map((share) => share.floor().toNumber());
  const missing = total - parts.reduce((sum, part) => sum + part, 0);
  const byRemainder = exact
    .map((share, index) => ({ index, remainder: share.minus(share.floor()) }))
    .sort((a, b) => b.remainder.comparedTo(a.remainder) || a.index - b.index);
  for (const { index } of byRemainder.slice(0, missing)) parts[index] = (parts[index] ?? 0) + 1;

  const allocated = parts.map((part) => (part === 0 ? 0 : sign * part));
  invariant(
    allocated.reduce((sum, part) => sum + part, 0) === totalMinor,
    'The parts of an allocation sum to the whole',
  );
  return allocated;
}
