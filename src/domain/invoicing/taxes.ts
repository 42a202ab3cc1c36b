import { Decimal, HUNDRED, sumDecimals, ZERO } from '../money/decimal.js';
import type { Currency } from '../money/currency.js';
import { fromMinorUnits, roundMinor } from '../money/money.js';

/** A tax of the organization. `rate` in percent. */
export interface Tax {
  readonly code: string;
  readonly name: string;
  readonly rate: Decimal;
  readonly description?: string | null;
}

/** What taxes look at in a fee. Amounts in minor units; the coupon share may have decimals. */
export interface TaxableFee {
  readonly amountMinor: number;
  readonly couponShareMinor: Decimal;
  readonly taxes: readonly Tax[];
}

export interface FeeTax {
  readonly tax: Tax;
  readonly amountMinor: number;
}

export interface FeeTaxes {
  readonly kind: 'fee-taxes';
  readonly applied: readonly FeeTax[];
  /** Sum of the rates: they add up, they never compound. */
  readonly rate: Decimal;
  readonly amountMinor: number;
  /** Not rounded, of the rounded fee; in minor units. */
  readonly preciseAmountMinor: Decimal;
}

export interface InvoiceTax {
  readonly tax: Tax;
  /** What it was applied to. */
  readonly feesAmountMinor: number;
  readonly amountMinor: number;
}

export interface InvoiceTaxes {
  readonly kind: 'invoice-taxes';
  readonly taxes: readonly InvoiceTax[];
  readonly amountMinor: number;
  /** Average over the fees weighted by their taxable amounts (plain average where there is no amount), 5 decimals. */
  readonly rate: Decimal;
}

const RATE_DECIMALS = 5;

/** The first level that names any tax wins; levels never mix (reference 2.8). */
export function applicableTaxes(levels: {
  readonly charge?: readonly Tax[];
  readonly plan?: readonly Tax[];
  readonly customer?: readonly Tax[];
  readonly organization?: readonly Tax[];
}): readonly Tax[] {
  const inOrder = [levels.charge, levels.plan, levels.customer, levels.organization];
  return inOrder.find((taxes) => taxes !== undefined && taxes.length > 0) ?? [];
}

/** A fee after its share of coupons, in minor units. */
export function taxableAmount(fee: TaxableFee): Decimal {
  return new Decimal(fee.amountMinor).minus(fee.couponShareMinor);
}

/**
 * Taxes of one fee: each line is rounded, and their sum is rounded once from the unrounded lines (reference 2.8).
 *
 * Example: 333 at 20 % -> 66.6 -> 67; 1,000 at 10 % and 12 % -> 100 + 120 = 220, rate 22.
 */
export function feeTaxes(fee: TaxableFee): FeeTaxes {
  const base = taxableAmount(fee);
  const lines = fee.taxes.map((tax) => ({ tax, precise: taxOn(base, tax) }));
  const preciseAmountMinor = sumDecimals(lines.map((line) => line.precise));
  return {
    kind: 'fee-taxes',
    applied: lines.map(({ tax, precise }) => ({ tax, amountMinor: roundMinor(precise) })),
    rate: sumDecimals(fee.taxes.map((tax) => tax.rate)),
    amountMinor: roundMinor(preciseAmountMinor),
    preciseAmountMinor,
  };
}

/**
 * What the taxes of a fee would be if nothing was rounded, its amount neither; in currency units. It is shown beside the
 * taxes and enters no total.
 *
 * Example: 1.005 at 20 % -> 0.201, where the fee of 1.01 is taxed with 0.202, which is 0.20.
 */
export function preciseTaxes(fee: {
  readonly preciseAmount: Decimal;
  readonly currency: Currency;
  readonly couponShareMinor: Decimal;
  readonly taxes: readonly Tax[];
}): Decimal {
  const base = fee.preciseAmount.minus(fromMinorUnits(fee.couponShareMinor, fee.currency));
  return sumDecimals(fee.taxes.map((tax) => taxOn(base, tax)));
}

/**
 * Taxes of an invoice: per tax the unrounded tax of every fee is summed and rounded once. That is not the sum of the
 * fees' rounded taxes (reference 2.8).
 *
 * Example: three fees of 333 at 20 % -> 199.8 -> 200, although the fees say 67 + 67 + 67 = 201.
 */
export function invoiceTaxes(fees: readonly TaxableFee[]): InvoiceTaxes {
  const byCode = new Map<string, { tax: Tax; base: Decimal; precise: Decimal }>();
  for (const fee of fees) {
    const base = taxableAmount(fee);
    for (const tax of fee.taxes) {
      const line = byCode.get(tax.code) ?? { tax, base: ZERO, precise: ZERO };
      byCode.set(tax.code, { tax, base: line.base.plus(base), precise: line.precise.plus(taxOn(base, tax)) });
    }
  }
  const taxes = Array.from(byCode.values(), ({ tax, base, precise }) => ({
    tax,
    feesAmountMinor: roundMinor(base),
    amountMinor: roundMinor(precise),
  }));
  return {
    kind: 'invoice-taxes',
    taxes,
    amountMinor: taxes.reduce((sum, line) => sum + line.amountMinor, 0),
    rate: averageRate(fees),
  };
}

/** Example: 1,000 at 10 % and 2,000 at 22 % -> (10,000 + 44,000) ÷ 3,000 = 18. */
function averageRate(fees: readonly TaxableFee[]): Decimal {
  if (fees.length === 0) return ZERO;
  const bases = fees.map(taxableAmount);
  const total = sumDecimals(bases);
  const weights = total.isZero() ? fees.map(() => new Decimal(1)) : bases;
  const weighted = fees.map((fee, index) => {
    const rate = sumDecimals(fee.taxes.map((tax) => tax.rate));
    return rate.times(weights[index] ?? ZERO);
  });
  return sumDecimals(weighted).div(sumDecimals(weights)).toDecimalPlaces(RATE_DECIMALS);
}

function taxOn(base: Decimal, tax: Tax): Decimal {
  return base.times(tax.rate).div(HUNDRED);
}
