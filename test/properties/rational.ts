/**
 * Exact fractions, to hold the decimal code against. Deliberately slow and simple, and without a line in common with it.
 */
export interface Rational {
  readonly numerator: bigint;
  /** Always positive. */
  readonly denominator: bigint;
}

export function rational(value: string | number | bigint): Rational {
  const text = String(value);
  const [whole = '0', fraction = ''] = text.split('.');
  return normal(BigInt(whole + fraction), 10n ** BigInt(fraction.length));
}

export const plus = (a: Rational, b: Rational): Rational =>
  normal(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
export const minus = (a: Rational, b: Rational): Rational => plus(a, { ...b, numerator: -b.numerator });
export const times = (a: Rational, b: Rational): Rational =>
  normal(a.numerator * b.numerator, a.denominator * b.denominator);
export const over = (a: Rational, b: Rational): Rational =>
  normal(a.numerator * b.denominator, a.denominator * b.numerator);
export const compare = (a: Rational, b: Rational): number => {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};
export const smaller = (a: Rational, b: Rational): Rational => (compare(a, b) <= 0 ? a : b);
export const larger = (a: Rational, b: Rational): Rational => (compare(a, b) >= 0 ? a : b);
export const ZERO: Rational = { numerator: 0n, denominator: 1n };

/** The next whole number that is not below. */
export function ceiling(value: Rational): Rational {
  const floored = value.numerator / value.denominator;
  const exact = floored * value.denominator === value.numerator || value.numerator < 0n;
  return { numerator: exact ? floored : floored + 1n, denominator: 1n };
}

/** Half-up away from zero, as a whole number of 10^-digits. */
export function roundHalfUp(value: Rational, digits: number): bigint {
  const scaled = value.numerator * 10n ** BigInt(digits);
  const magnitude = scaled < 0n ? -scaled : scaled;
  const rounded = (2n * magnitude + value.denominator) / (2n * value.denominator);
  return scaled < 0n ? -rounded : rounded;
}

/** Up, towards positive infinity, as a whole number of 10^-digits. */
export function roundUp(value: Rational, digits: number): bigint {
  return ceiling(times(value, { numerator: 10n ** BigInt(digits), denominator: 1n })).numerator;
}

function normal(numerator: bigint, denominator: bigint): Rational {
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = gcd(numerator < 0n ? -numerator : numerator, denominator < 0n ? -denominator : denominator);
  return { numerator: (sign * numerator) / divisor, denominator: (sign * denominator) / divisor };
}

function gcd(a: bigint, b: bigint): bigint {
  let [left, right] = [a, b];
  while (right !== 0n) [left, right] = [right, left % right];
  return left === 0n ? 1n : left;
}
