import { describe, expect, it } from '@jest/globals';
import { allocate } from './allocate.js';
import { currencyExponent, isCurrency } from './currency.js';
import { parsePlainDecimal, railsDecimal } from './decimal-string.js';
import { Decimal, sumDecimals } from './decimal.js';
import { fromMinorUnits, LARGEST_AMOUNT_MINOR, roundToMinorUnits, sumMinor } from './money.js';

describe('rounding to minor units', () => {
  it.each([
    ['an exact amount', '11.15', 'EUR', 1115],
    ['half a cent goes away from zero', '11.155', 'EUR', 1116],
    ['less than half a cent', '11.154999999999999999999', 'EUR', 1115],
    ['half a cent below zero goes away from zero', '-0.005', 'EUR', -1],
    ['nothing', '0', 'EUR', 0],
    ['less than nothing worth a cent', '-0.004', 'EUR', 0],
    ['a yen has no smaller unit', '0.5', 'JPY', 1],
    ['a yen, just below', '1234.49', 'JPY', 1234],
    ['a dinar has a thousand fils', '1.2345', 'KWD', 1235],
    ['a dinar, exact', '0.001', 'KWD', 1],
  ])('%s: %s %s -> %s', (_, amount, currency, expected) => {
    const minor = roundToMinorUnits(new Decimal(amount), currency);
    expect(minor).toBe(expected);
    expect(roundToMinorUnits(fromMinorUnits(minor, currency), currency)).toBe(minor);
  });

  it('keeps half a cent that was divided and summed again', () => {
    const seventh = new Decimal('0.025').div(7);
    const sum = sumDecimals(Array.from({ length: 7 }, () => seventh));
    expect(sum.lessThan('0.025')).toBe(true);
    expect(roundToMinorUnits(sum, 'EUR')).toBe(3);
  });

  it.each([
    ['the largest amount', '999999999999.99', LARGEST_AMOUNT_MINOR],
    ['more than anybody pays', '999999999999.995', LARGEST_AMOUNT_MINOR],
    ['what no number holds', '1e30', LARGEST_AMOUNT_MINOR],
    ['the same below zero', '-1e30', -LARGEST_AMOUNT_MINOR],
  ])('holds %s', (_, amount, expected) => expect(roundToMinorUnits(new Decimal(amount), 'EUR')).toBe(expected));

  it('keeps sums within what a number holds exactly', () => {
    const sum = sumMinor(Array.from({ length: 100 }, () => LARGEST_AMOUNT_MINOR));
    expect(sum).toBe(9e15);
    expect(Number.isSafeInteger(sum)).toBe(true);
    expect(sumMinor([1115, -15])).toBe(1100);
  });
});

describe('currencies', () => {
  it.each([
    ['JPY', 0],
    ['EUR', 2],
    ['USD', 2],
    ['KWD', 3],
    ['BHD', 3],
  ])('%s has %i digits', (code, digits) => expect(currencyExponent(code)).toBe(digits));

  it('knows only ISO codes', () => {
    expect([isCurrency('EUR'), isCurrency('eur'), isCurrency('XXX'), isCurrency(null)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(() => currencyExponent('XXX')).toThrow('ISO 4217');
  });
});

describe('the one Decimal', () => {
  it('rounds half away from zero, keeps 40 digits and prints no exponent', () => {
    expect(['0.5', '2.5', '-2.5'].map((value) => new Decimal(value).toDecimalPlaces(0).toNumber())).toEqual([1, 3, -3]);
    expect(new Decimal(1).div(3).toString()).toBe(`0.${'3'.repeat(40)}`);
    expect(new Decimal('1e-30').toString()).toBe(`0.${'0'.repeat(29)}1`);
    expect(new Decimal('1e30').toString()).toBe(`1${'0'.repeat(30)}`);
  });
});

describe('decimals as text', () => {
  it.each([
    ['0', '0.0'],
    ['-0', '0.0'],
    ['12.5', '12.5'],
    ['121', '121.0'],
    ['2177.4193548387096774', '2177.4193548387096774'],
    ['1e-18', '0.000000000000000001'],
    ['1e30', '1000000000000000000000000000000.0'],
  ])('%s prints %s', (value, text) => expect(railsDecimal(new Decimal(value))).toBe(text));

  it.each([
    ['120', '120'],
    [120, '120'],
    [0.1, '0.1'],
    [1e-7, '0.0000001'],
    ['-1.5', '-1.5'],
    ['+3', '3'],
    ['.5', '0.5'],
  ])('%p is a number', (property, value) => expect(parsePlainDecimal(property)?.toFixed()).toBe(value));

  it.each([['1e3'], ['1,000'], [' 1'], ['1 '], [''], ['foo'], ['.'], [null], [undefined], [true], [[1]], [Infinity]])(
    '%p is none',
    (property) => expect(parsePlainDecimal(property)).toBeNull(),
  );
});

describe('allocation by largest remainder', () => {
  it.each([
    ['thirds of 100', 100, ['1', '1', '1'], [34, 33, 33]],
    ['a debt', -100, ['1', '1', '1'], [-34, -33, -33]],
    ['one cent for two', 1, ['1', '1'], [1, 0]],
    ['by size', 1000, ['10000', '5000', '3000', '2000'], [500, 250, 150, 100]],
    ['no weights', 7, ['0', '0'], [7, 0]],
    ['nothing', 0, ['1', '2'], [0, 0]],
  ])('%s', (_, total, weights, parts) => {
    const allocated = allocate(
      total,
      weights.map((weight) => new Decimal(weight)),
    );
    expect(allocated).toEqual(parts);
    expect(sumMinor(allocated)).toBe(total);
  });
});
