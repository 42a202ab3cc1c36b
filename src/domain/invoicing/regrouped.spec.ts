import { expect, it } from '@jest/globals';
import { Decimal } from '../money/decimal.js';
import { regroupedTotals } from './regrouped.js';
import { feeTaxes } from './taxes.js';

const tax = (code: string, rate: string) => ({ code, name: code, rate: new Decimal(rate) });
const paid = (amountMinor: number, ...taxes: ReturnType<typeof tax>[]) => {
  const { applied, amountMinor: taxesAmountMinor } = feeTaxes({ amountMinor, couponShareMinor: new Decimal(0), taxes });
  return { amountMinor, taxesAmountMinor, taxes: applied };
};
const one = tax('tax-1', '9.3');
const two = tax('tax-2', '12');

it.each([
  ['nothing', [], 0, 0, [], '0'],
  ['two taxes', [paid(2000, one, two), paid(1900, one, two), paid(1800, one, two)], 5700, 1214, [530, 684], '21.3'],
  [
    'three thirds',
    [paid(333, tax('vat', '20')), paid(333, tax('vat', '20')), paid(333, tax('vat', '20'))],
    999,
    201,
    [201],
    '20',
  ],
  ['a fee without taxes', [paid(100, one), paid(100)], 200, 9, [9], '4.65'],
] as const)('%s', (_, fees, amount, taxes, lines, rate) => {
  const totals = regroupedTotals(fees);
  expect([totals.feesAmountMinor, totals.taxesAmountMinor]).toEqual([amount, taxes]);
  expect(totals.taxes.map(({ amountMinor }) => amountMinor)).toEqual(lines);
  expect(totals.taxesRate.toFixed()).toBe(rate);
  expect(totals.totalMinor).toBe(amount + taxes);
});
