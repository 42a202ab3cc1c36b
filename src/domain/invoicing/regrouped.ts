import { Decimal } from '../money/decimal.js';
import { invoiceTaxes, type Tax } from './taxes.js';

/** A fee that was taxed and paid for itself. Amounts in minor units. */
export interface PaidFee {
  readonly amountMinor: number;
  readonly taxesAmountMinor: number;
  readonly taxes: readonly { readonly tax: Tax; readonly amountMinor: number }[];
}

export interface RegroupedTotals {
  readonly feesAmountMinor: number;
  readonly taxesAmountMinor: number;
  readonly totalMinor: number;
  readonly taxes: readonly { readonly tax: Tax; readonly feesAmountMinor: number; readonly amountMinor: number }[];
  readonly taxesRate: Decimal;
}

/**
 * Totals of an invoice over fees that are paid already: what was paid is what it says, so taxes are the sums of the fees'
 * rounded ones, and not computed again over the whole invoice (lago-api.md 1.3).
 *
 * Example: 2,000, 1,900 and 1,800 at 9.3 % -> taxes 186 + 177 + 167 = 530.
 */
export function regroupedTotals(fees: readonly PaidFee[]): RegroupedTotals {
  const byCode = new Map<string, { tax: Tax; feesAmountMinor: number; amountMinor: number }>();
  for (const { amountMinor: base, taxes } of fees) {
    for (const { tax, amountMinor } of taxes) {
      const line = byCode.get(tax.code) ?? { tax, feesAmountMinor: 0, amountMinor: 0 };
      byCode.set(tax.code, {
        tax,
        feesAmountMinor: line.feesAmountMinor + base,
        amountMinor: line.amountMinor + amountMinor,
      });
    }
  }
  const feesAmountMinor = fees.reduce((sum, fee) => sum + fee.amountMinor, 0);
  const taxesAmountMinor = fees.reduce((sum, fee) => sum + fee.taxesAmountMinor, 0);
  const { rate } = invoiceTaxes(
    fees.map(({ amountMinor, taxes }) => ({
      ...{ amountMinor, couponShareMinor: new Decimal(0) },
      taxes: taxes.map(({ tax }) => tax),
    })),
  );
  return {
    ...{ feesAmountMinor, taxesAmountMinor, totalMinor: feesAmountMinor + taxesAmountMinor },
    ...{ taxes: [...byCode.values()], taxesRate: rate },
  };
}
