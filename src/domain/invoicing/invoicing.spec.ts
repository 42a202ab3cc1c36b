import { describe, expect, it } from '@jest/globals';
import { instant, toIso } from '../calendar/instant.js';
import { Decimal, ZERO } from '../money/decimal.js';
import { composeInvoice, type ComposedFee } from './compose-invoice.js';
import { applyCoupons } from './coupons.js';
import { graceEndsAt, issuingDate, paymentDueDate } from './dates.js';
import { chargeFee, isNegligible, planFee, trueUpFee } from './fee.js';
import {
  canDelete,
  canFinalize,
  canRetryPayment,
  canUpdate,
  canVoid,
  initialPaymentStatus,
  INVOICE_STATUSES,
  mayBecome,
} from './invoice-states.js';
import { creditNoteNumber, defaultNumberPrefix, draftNumber, entityInvoiceNumber, invoiceNumber } from './numbering.js';
import { applicableTaxes, feeTaxes, invoiceTaxes, preciseTaxes, type Tax } from './taxes.js';

const tax = (rate: string): Tax => ({ code: `vat_${rate}`, name: `VAT ${rate}`, rate: new Decimal(rate) });
const fee = (amountMinor: number, ...rates: string[]): ComposedFee => ({
  currency: 'EUR',
  amountMinor,
  couponShareMinor: ZERO,
  taxes: rates.map(tax),
});

describe('taxes', () => {
  it.each<[string, string, string, string[], string]>([
    // name, unrounded amount, coupons in cents, rates, unrounded taxes
    ['half a cent', '1.005', '0', ['20'], '0.201'],
    ['less than a cent', '0.004', '0', ['20'], '0.0008'],
    ['a cent', '1.01', '0', ['20'], '0.202'],
    ['two taxes', '1.005', '0', ['10', '12'], '0.2211'],
    ['after a coupon', '1.005', '0.5', ['20'], '0.2'],
    ['none', '1.005', '0', [], '0'],
  ])('of %s that nobody rounded are not rounded either', (_, preciseAmount, coupons, rates, expected) => {
    const couponShareMinor = new Decimal(coupons);
    const precise = preciseTaxes({
      ...{ currency: 'EUR', taxes: rates.map(tax), couponShareMinor },
      preciseAmount: new Decimal(preciseAmount),
    });
    expect(precise.toFixed()).toBe(expected);
  });

  it('unrounded ones are in units of the currency, whatever its decimals', () => {
    const half = { preciseAmount: new Decimal('1.5'), couponShareMinor: new Decimal('0.5'), taxes: [tax('10')] };
    expect(preciseTaxes({ ...half, currency: 'JPY' }).toFixed()).toBe('0.1');
    expect(preciseTaxes({ ...half, currency: 'KWD' }).toFixed()).toBe('0.14995');
  });

  it('are rounded once per invoice, not per fee', () => {
    const fees = [fee(333, '20'), fee(333, '20'), fee(333, '20')];
    expect(fees.map((each) => feeTaxes(each).amountMinor)).toEqual([67, 67, 67]);
    expect(invoiceTaxes(fees).amountMinor).toBe(200);
  });

  it.each([
    ['weighted by the fees', [fee(1000, '10'), fee(2000, '10', '12')], '18'],
    ['five decimals', [fee(1000, '10'), fee(2000, '20')], '16.66667'],
    ['by number of fees when there is no amount', [fee(0, '10'), fee(0, '10', '12')], '16'],
    ['untaxed fees weigh too', [fee(1000, '20'), fee(1000)], '10'],
    ['no fees', [], '0'],
  ])('average rate: %s', (_, fees, expected) => expect(invoiceTaxes(fees).rate.toFixed()).toBe(expected));

  it('apply after the share of coupons', () => {
    const reduced = { ...fee(1000, '20'), couponShareMinor: new Decimal('333.33333') };
    expect(feeTaxes(reduced).amountMinor).toBe(133);
    expect(invoiceTaxes([reduced]).taxes[0]?.feesAmountMinor).toBe(667);
  });

  it('come from the first level that names any', () => {
    const [charge, plan, customer, organization] = [[tax('1')], [tax('2')], [tax('3')], [tax('4')]];
    expect(applicableTaxes({ charge, plan, customer, organization })).toBe(charge);
    expect(applicableTaxes({ charge: [], plan, customer, organization })).toBe(plan);
    expect(applicableTaxes({ charge: [], plan: [], customer, organization })).toBe(customer);
    expect(applicableTaxes({ organization })).toBe(organization);
    expect(applicableTaxes({})).toEqual([]);
  });
});

describe('composing an invoice', () => {
  it.each([
    ['a fee with tax', [fee(3750, '20')], 3750, 750, 4500],
    ['no fee', [], 0, 0, 0],
    ['untaxed', [fee(1), fee(2)], 3, 0, 3],
    ['several taxes', [fee(1000, '10'), fee(2000, '10', '12')], 3000, 540, 3540],
  ])('%s', (_, fees, feesAmount, taxes, total) => {
    const totals = composeInvoice({ currency: 'EUR', fees });
    expect([totals.feesAmountMinor, totals.taxesAmountMinor, totals.totalMinor]).toEqual([feesAmount, taxes, total]);
  });

  it('takes credits after taxes', () => {
    const totals = composeInvoice({
      currency: 'EUR',
      fees: [{ ...fee(10_000, '10'), couponShareMinor: new Decimal(1000) }],
      creditNotesAmountMinor: 500,
      prepaidCreditAmountMinor: 400,
    });
    expect(totals).toMatchObject({
      subTotalExcludingTaxesMinor: 9000,
      subTotalIncludingTaxesMinor: 9900,
      totalMinor: 9000,
    });
  });

  it('refuses two currencies and credits beyond what is due', () => {
    expect(() => composeInvoice({ currency: 'JPY', fees: [fee(1)] })).toThrow('is in JPY');
    expect(() => composeInvoice({ currency: 'EUR', fees: [fee(1)], prepaidCreditAmountMinor: 2 })).toThrow('Credits');
  });

  it('keeps a flat amount at 0 units and drops what is nothing', () => {
    const rated = { kind: 'rated-amount', unitAmount: ZERO, units: ZERO, amountDetails: {} } as const;
    const context = { currency: 'EUR', eventsCount: 0, taxes: [] };
    expect(isNegligible(chargeFee({ ...rated, amount: new Decimal(2) }, context))).toBe(false);
    expect(isNegligible(chargeFee({ ...rated, amount: ZERO }, context))).toBe(true);
    expect(isNegligible(chargeFee({ ...rated, amount: ZERO, units: new Decimal(5) }, context))).toBe(false);
    expect(isNegligible(chargeFee({ ...rated, amount: ZERO }, { ...context, eventsCount: 1 }))).toBe(false);
  });

  it('a true-up is one unit of what is missing, rounded once', () => {
    const missing = { amountMinor: 1929, preciseAmountMinor: new Decimal('1928.571') };
    const fee = trueUpFee('true_up', missing, { currency: 'EUR', taxes: [] });
    expect([fee.units.toFixed(), fee.amountMinor, fee.preciseAmount.toFixed()]).toEqual(['1', 1929, '19.28571']);
  });

  it('a plan’s fee names the whole amount of the plan, however little of the period is billed', () => {
    const share = { billedDays: 21, share: new Decimal('0.75'), preciseAmountMinor: new Decimal(3750) };
    const computed = {
      kind: 'subscription-fee',
      amountMinor: 3750,
      preciseAmount: new Decimal('37.5'),
      ...share,
    } as const;
    const fee = planFee(computed, { currency: 'EUR', taxes: [], planAmountMinor: 5000 });
    expect([fee.units.toFixed(), fee.amountMinor, fee.unitAmount.toFixed()]).toEqual(['1', 3750, '37.5']);
    expect(fee.amountDetails).toEqual({ plan_amount_cents: 5000 });
  });

  it('units of a prorated charge are shown as they are, priced as they are weighted', () => {
    const rated = { kind: 'rated-amount', unitAmount: new Decimal(2), amountDetails: {} } as const;
    const weighted = { ...rated, units: new Decimal('2.5'), amount: new Decimal(10) };
    const fee = chargeFee(weighted, { currency: 'EUR', eventsCount: 1, taxes: [], fullUnits: new Decimal(5) });
    expect([fee.units.toFixed(), fee.amountMinor]).toEqual(['5', 1000]);
  });
});

describe('coupons', () => {
  const golden = [10_000, 5000, 3000, 2000];
  it('are spread in proportion to the fees', () => {
    const { feeShares } = applyCoupons(
      golden,
      [
        {
          discount: { kind: 'fixed_amount', amountMinor: 1000, currency: 'EUR', alreadyUsedMinor: 0 },
          frequency: { kind: 'once' },
        },
      ],
      'EUR',
    );
    expect(feeShares.map(Number)).toEqual([500, 250, 150, 100]);
    const rates = ['10', '0', '20', '20'];
    const taxed = golden.map((amountMinor, index) =>
      feeTaxes({ ...fee(amountMinor, rates[index] ?? '0'), couponShareMinor: feeShares[index] ?? ZERO }),
    );
    expect(taxed.map((each) => each.amountMinor)).toEqual([950, 0, 570, 380]);
  });

  it('never take more than there is', () => {
    const coupon = {
      discount: { kind: 'fixed_amount', amountMinor: 30, currency: 'EUR', alreadyUsedMinor: 0 },
      frequency: { kind: 'forever' },
    } as const;
    expect(applyCoupons([20, 20], [coupon, coupon], 'EUR').totalMinor).toBe(40);
    expect(applyCoupons([0], [coupon], 'EUR').credits).toEqual([null]);
    expect(applyCoupons([20], [coupon], 'USD').credits).toEqual([null]);
  });
});

describe('states', () => {
  it('an issued invoice only becomes void', () => {
    expect(INVOICE_STATUSES.filter((status) => mayBecome('finalized', status))).toEqual(['voided']);
    expect(INVOICE_STATUSES.filter((status) => mayBecome('voided', status))).toEqual([]);
    expect(mayBecome('draft', 'finalized')).toBe(true);
  });

  it.each([
    ['finalize a draft', canFinalize({ status: 'draft' }), null],
    ['finalize again', canFinalize({ status: 'finalized' }), 'invoice_not_found'],
    ['void', canVoid({ status: 'finalized' }), null],
    ['void a draft', canVoid({ status: 'draft' }), 'not_voidable'],
    ['void again', canVoid({ status: 'voided' }), 'not_voidable'],
    ['update a void one', canUpdate({ status: 'voided' }), 'update_on_voided_invoice'],
    ['delete a finalized one', canDelete({ status: 'finalized' }), 'not_deletable'],
    ['retry', canRetryPayment({ status: 'finalized', paymentStatus: 'failed' }), null],
    ['retry a paid one', canRetryPayment({ status: 'finalized', paymentStatus: 'succeeded' }), 'invalid_status'],
    ['retry a draft', canRetryPayment({ status: 'draft', paymentStatus: 'pending' }), 'invalid_status'],
    [
      'retry while the gateway works',
      canRetryPayment({ status: 'finalized', paymentStatus: 'pending', paymentInProgress: true }),
      'payment_processor_is_currently_handling_payment',
    ],
  ])('%s', (_, decision, code) => expect(decision.kind === 'allowed' ? null : decision.code).toBe(code));

  it('nothing to pay is paid', () => {
    expect([initialPaymentStatus(0), initialPaymentStatus(1)]).toEqual(['succeeded', 'pending']);
  });
});

describe('numbers and dates', () => {
  it('numbers', () => {
    const prefix = defaultNumberPrefix('Acme Inc', '1a2b3c4d-0000-0000-0000-00000000ab9f');
    expect(prefix).toBe('ACM-AB9F');
    expect(invoiceNumber(prefix, 1, 2)).toBe('ACM-AB9F-001-002');
    expect(invoiceNumber(prefix, 1234, 999)).toBe('ACM-AB9F-1234-999');
    expect(draftNumber(prefix)).toBe('ACM-AB9F-DRAFT');
    expect(entityInvoiceNumber(prefix, '202401', 7)).toBe('ACM-AB9F-202401-007');
    expect(creditNoteNumber('ACM-AB9F-001-002', 1)).toBe('ACM-AB9F-001-002-CN001');
    expect(() => invoiceNumber(prefix, 1, 0)).toThrow('count from 1');
  });

  const february = { billingAt: instant('2024-02-01T05:00:00Z'), zone: 'America/New_York', graceDays: 3 };
  it.each([
    ['with grace', {}, '2024-02-04'],
    ['without', { graceDays: 0 }, '2024-02-01'],
    ['the anchor kept', { adjustment: 'keep_anchor' }, '2024-02-01'],
    ['the period’s last day', { anchor: 'current_period_end' }, '2024-02-03'],
    ['in the customer’s zone', { zone: 'Pacific/Pago_Pago', graceDays: 0 }, '2024-01-31'],
  ] as const)('issued %s', (_, changes, date) => expect(issuingDate({ ...february, ...changes })).toBe(date));

  it('due and graceful over a clock change and a leap day', () => {
    expect(paymentDueDate('2024-02-04', 30)).toBe('2024-03-05');
    expect(toIso(graceEndsAt(instant('2024-03-10T05:00:00Z'), 'America/New_York', 1))).toBe('2024-03-11T04:00:00Z');
  });
});
