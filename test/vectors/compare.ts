import { Decimal } from '../../src/domain/money/decimal.js';

/**
 * Where an answer differs from what is expected, as sentences; empty when it agrees. Objects agree when every expected
 * key does. Decimals compare as numbers however they are printed; everything else exactly.
 */
export function differences(expected: unknown, actual: unknown, at = ''): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return [differs(at, expected, actual)];
    return expected.flatMap((item, index) => differences(item, actual[index], `${at}[${index}]`));
  }
  if (isObject(expected)) {
    if (!isObject(actual)) return [differs(at, expected, actual)];
    return Object.keys(expected).flatMap((key) =>
      differences(expected[key], actual[key], at === '' ? key : `${at}.${key}`),
    );
  }
  return isEqual(expected, actual) ? [] : [differs(at, expected, actual)];
}

function isEqual(expected: unknown, actual: unknown): boolean {
  const [a, b] = [decimal(expected), decimal(actual)];
  if (a && b) return a.equals(b);
  return (expected ?? null) === (actual ?? null);
}

function decimal(value: unknown): Decimal | null {
  if (Decimal.isDecimal(value)) return value;
  if (typeof value === 'number') return new Decimal(value);
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? new Decimal(value) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Decimal.isDecimal(value);
}

function differs(at: string, expected: unknown, actual: unknown): string {
  return `${at === '' ? 'value' : at}: expected ${print(expected)}, got ${print(actual)}`;
}

function print(value: unknown): string {
  return Decimal.isDecimal(value) ? value.toFixed() : (JSON.stringify(value) ?? 'nothing');
}
