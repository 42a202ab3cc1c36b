import { describe, expect, it } from '@jest/globals';
import { Decimal } from '../money/decimal.js';
import { composeCreditNote, splitCredit, spreadOverFees, useCredits } from './credit-note.js';
import type { Tax, TaxableFee } from './taxes.js';

const tax = (rate: string): Tax => ({ code: `vat_${rate}`, name: `VAT ${rate}`, rate: new Decimal(rate) });
const fee = (amountMinor: number, rates: string[] = [], couponShare = '0'): TaxableFee => ({
  amountMinor,
  couponShareMinor: new Decimal(couponShare),
  taxes: rates.map(tax),
});
const note = (...items: [TaxableFee, number][]) =>
  composeCreditNote({
    currency: 'EUR',
    items: items.map(([of, amountMinor]) => ({ fee: of, amountMinor })),
    earlier: [],
    takesTheRest: false,
  });

describe('the amounts of a credit note', () => {
  // Sub-total, taxes, total.
  it.each<[string, [TaxableFee, number][], number, number, number]>([
    ['20 of 28 days of 5,000 at 20 %', [[fee(5000, ['20']), 3571]], 3571, 714, 4285],
    ['29 of 30 days of 16,000 at 25 %', [[fee(16_000, ['25']), 15_467]], 15_467, 3867, 19_334],
    ['29 of 30 days of 20,000 at 25 %', [[fee(20_000, ['25']), 19_333]], 19_333, 4833, 24_166],
    ['11 of 31 days of 1,000 at 20 %', [[fee(548, ['20']), 355]], 355, 71, 426],
    ['no tax', [[fee(1000), 32]], 32, 0, 32],
    ['taxes add up', [[fee(1000, ['10', '12']), 1000]], 1000, 220, 1220],
    ['nothing', [[fee(1000, ['20']), 0]], 0, 0, 0],
    ['a fee with its share of a coupon', [[fee(1999, ['20'], '69.25342'), 1999]], 1930, 386, 2316],
    ['rounded down twice, below its precise total', [[fee(6833, ['20'], '236.72267'), 6833]], 6596, 1319, 7915],
    [
      'parts of five fees: the taxes give way to the precise total',
      [
        [fee(1999, ['10'], '9.66216'), 100],
        [fee(299_770, ['10'], '1448.93772'), 100],
        [fee(3130, ['10'], '15.12884'), 100],
        [fee(6460, ['10'], '31.2244'), 100],
        [fee(3130, ['10'], '15.12884'), 100],
      ],
      498,
      49,
      547,
    ],
  ])('%s', (_, items, subTotal, taxes, total) => {
    const amounts = note(...items);
    expect([amounts.subTotalExcludingTaxesMinor, amounts.taxesAmountMinor, amounts.totalMinor]).toEqual([
      subTotal,
      taxes,
      total,
    ]);
    conserved(amounts);
  });

  it('are also given as they were before rounding', () => {
    const amounts = note([fee(1999, ['20'], '69.25342'), 1999]);
    expect(amounts.couponsAdjustmentMinor).toBe(69);
    expect(amounts.preciseTaxesMinor.toFixed()).toBe('385.94932');
    expect(amounts.preciseTotalMinor.toFixed()).toBe('2315.6959');
    expect(amounts.taxesRate.toFixed()).toBe('20');
  });

  it('of the last note make up for what rounding did in the earlier ones', () => {
    const amounts = composeCreditNote({
      currency: 'EUR',
      items: [{ fee: fee(20_033, ['20'], '694.0239'), amountMinor: 20_033 }],
      earlier: [
        { taxesAmountMinor: 386, preciseTaxesMinor: new Decimal('385.94932') },
        { taxesAmountMinor: 1319, preciseTaxesMinor: new Decimal('1319.25547') },
      ],
      takesTheRest: true,
    });
    expect(amounts.preciseTaxesMinor.toFixed()).toBe('3868.00001');
    expect([amounts.taxesAmountMinor, amounts.totalMinor]).toEqual([3868, 23_207]);
    expect(amounts.preciseTotalMinor.toFixed()).toBe('23206.97611');
    conserved(amounts);
  });

  it('stay within the invoice when its fees are taken one by one', () => {
    // Three fees of 333 at 20 %: each fee says 67, the invoice says 200.
    const earlier: { taxesAmountMinor: number; preciseTaxesMinor: Decimal }[] = [];
    for (const takesTheRest of [false, false, true]) {
      const amounts = composeCreditNote({
        currency: 'EUR',
        items: [{ fee: fee(333, ['20']), amountMinor: 333 }],
        earlier,
        takesTheRest,
      });
      earlier.push({ taxesAmountMinor: amounts.taxesAmountMinor, preciseTaxesMinor: amounts.preciseTaxesMinor });
      conserved(amounts);
    }
    expect(earlier.map((each) => each.taxesAmountMinor)).toEqual([67, 67, 66]);
  });

  it('are refused for more of a fee than there is', () => {
    expect(() => note([fee(100), 101])).toThrow('no more of a fee');
    expect(() => note([fee(100), -1])).toThrow('no more of a fee');
  });

  function conserved(amounts: ReturnType<typeof note>): void {
    expect(amounts.subTotalExcludingTaxesMinor + amounts.taxesAmountMinor).toBe(amounts.totalMinor);
    expect(amounts.taxes.reduce((sum, line) => sum + line.amountMinor, 0)).toBe(amounts.taxesAmountMinor);
    expect(amounts.preciseTotalMinor.minus(amounts.totalMinor).abs().lt(1)).toBe(true);
  }
});

describe('a note over an agreed amount', () => {
  it.each([
    ['all of it', 1200, 1200, [700, 300], [700, 300]],
    ['half', 600, 1200, [700, 300], [350, 150]],
    ['a cent', 1, 1200, [700, 300], [1, 0]],
    ['nothing left', 0, 0, [0, 0], [0, 0]],
    ['no tax', 333, 1000, [500, 500], [167, 166]],
  ])('takes of each fee in proportion: %s', (_, total, left, fees, expected) => {
    expect(spreadOverFees(total, left, fees)).toEqual(expected);
  });

  it('has as taxes what the amount has beyond the items', () => {
    const amounts = composeCreditNote({
      currency: 'EUR',
      items: [{ fee: fee(333, ['20']), amountMinor: 167 }],
      earlier: [],
      takesTheRest: false,
      totalMinor: 201,
    });
    expect([amounts.subTotalExcludingTaxesMinor, amounts.taxesAmountMinor, amounts.totalMinor]).toEqual([167, 34, 201]);
  });
});

describe('where the credit goes', () => {
  const invoice = (totalMinor: number, paidMinor: number) => ({
    totalMinor,
    paidMinor,
    dueMinor: totalMinor - paidMinor,
  });

  // Credit, refund, offset.
  it.each([
    ['credit', 'credit', 40, invoice(100, 100), [40, 0, 0]],
    ['refund of a paid invoice', 'refund', 40, invoice(100, 100), [0, 40, 0]],
    ['refund of an unpaid invoice', 'refund', 40, invoice(100, 0), [40, 0, 0]],
    ['refund where the payment covers the used part and more', 'refund', 40, invoice(100, 80), [20, 20, 0]],
    ['refund where the payment covers less than the used part', 'refund', 40, invoice(100, 50), [40, 0, 0]],
    ['refund of a payment that was larger than the invoice', 'refund', 40, invoice(100, 120), [0, 40, 0]],
    [
      'refund where credits paid for a part',
      'refund',
      100,
      { totalMinor: 30, paidMinor: 30, dueMinor: 0 },
      [70, 30, 0],
    ],
    ['offset of an unpaid invoice', 'offset', 40, invoice(100, 0), [0, 0, 40]],
    ['offset of a paid invoice', 'offset', 40, invoice(100, 100), [40, 0, 0]],
    ['offset of what is still due', 'offset', 40, invoice(100, 80), [20, 0, 20]],
    ['offset of an invoice that was paid twice', 'offset', 40, invoice(100, 120), [40, 0, 0]],
  ] as const)('%s', (_, mode, total, of, expected) => {
    const { creditMinor, refundMinor, offsetMinor } = splitCredit(total, mode, of);
    expect([creditMinor, refundMinor, offsetMinor]).toEqual(expected);
    expect(creditMinor + refundMinor + offsetMinor).toBe(total);
  });
});

describe('using credits', () => {
  it.each<[string, number, number[], [number, number, number][]]>([
    ['the oldest first', 6000, [1000, 8000], [[0, 1000, 0], [1, 5000, 3000]]], // prettier-ignore
    ['exactly enough', 3000, [3000, 500], [[0, 3000, 0]]],
    ['not enough', 6000, [1000, 2000], [[0, 1000, 0], [1, 2000, 0]]], // prettier-ignore
    ['an empty one is passed over', 100, [0, 100], [[1, 100, 0]]],
    ['nothing due', 0, [100], []],
    ['nothing there', 100, [], []],
  ])('%s', (_, due, balances, expected) => {
    const uses = useCredits(due, balances);
    expect(uses.map(({ note: index, amountMinor, balanceMinor }) => [index, amountMinor, balanceMinor])).toEqual(
      expected,
    );
  });

  it('never takes a negative balance', () => {
    expect(() => useCredits(10, [-1])).toThrow('not negative');
  });
});
