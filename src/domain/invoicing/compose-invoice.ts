import { invariant } from '../invariant.js';
import type { Currency } from '../money/currency.js';
import type { Decimal } from '../money/decimal.js';
import { sumDecimals } from '../money/decimal.js';
import { roundMinor, sumMinor } from '../money/money.js';
import type { Fee } from './fee.js';
import { feeTaxes, invoiceTaxes, type FeeTaxes, type InvoiceTax } from './taxes.js';

export type ComposedFee = Pick<Fee, 'currency' | 'amountMinor' | 'couponShareMinor' | 'taxes'>;

export interface InvoiceTotals {
  readonly kind: 'invoice-totals';
  readonly currency: Currency;
  readonly feesAmountMinor: number;
  readonly couponsAmountMinor: number;
  readonly progressiveBillingCreditMinor: number;
  readonly subTotalExcludingTaxesMinor: number;
  readonly taxes: readonly InvoiceTax[];
  readonly taxesAmountMinor: number;
  readonly taxesRate: Decimal;
  readonly subTotalIncludingTaxesMinor: number;
  readonly creditNotesAmountMinor: number;
  readonly prepaidCreditAmountMinor: number;
  readonly totalMinor: number;
  /** In the order of the fees given. */
  readonly feeTaxes: readonly FeeTaxes[];
}

/**
 * The totals of an invoice: fees − progressive billing − coupons, + taxes, − credit notes − prepaid credits
 * (reference 2.7). Amounts in minor units. Everything is derived from the fees, so composing again gives the same.
 *
 * Example: fees 3,750 at 20 % -> sub-totals 3,750 and 4,500, taxes 750, total 4,500.
 *
 * Throws when a fee has another currency or the credits exceed what is due.
 */
export function composeInvoice(input: {
  readonly currency: Currency;
  readonly fees: readonly ComposedFee[];
  readonly progressiveBillingCreditMinor?: number;
  readonly creditNotesAmountMinor?: number;
  readonly prepaidCreditAmountMinor?: number;
}): InvoiceTotals {
  const { currency, fees } = input;
  invariant(
    fees.every((fee) => fee.currency === currency),
    `Every fee of the invoice is in ${currency}`,
  );
  const progressiveBillingCreditMinor = input.progressiveBillingCreditMinor ?? 0;
  const creditNotesAmountMinor = input.creditNotesAmountMinor ?? 0;
  const prepaidCreditAmountMinor = input.prepaidCreditAmountMinor ?? 0;

  const feesAmountMinor = sumMinor(fees.map((fee) => fee.amountMinor));
  const couponsAmountMinor = roundMinor(sumDecimals(fees.map((fee) => fee.couponShareMinor)));
  const subTotalExcludingTaxesMinor = feesAmountMinor - progressiveBillingCreditMinor - couponsAmountMinor;
  const taxes = invoiceTaxes(fees);
  const subTotalIncludingTaxesMinor = subTotalExcludingTaxesMinor + taxes.amountMinor;
  const totalMinor = subTotalIncludingTaxesMinor - creditNotesAmountMinor - prepaidCreditAmountMinor;

  invariant(subTotalExcludingTaxesMinor >= 0, 'Coupons and progressive billing take no more than the fees');
  invariant(totalMinor >= 0, 'Credits take no more than what is due');
  const totals: InvoiceTotals = {
    kind: 'invoice-totals',
    currency,
    feesAmountMinor,
    couponsAmountMinor,
    progressiveBillingCreditMinor,
    subTotalExcludingTaxesMinor,
    taxes: taxes.taxes,
    taxesAmountMinor: taxes.amountMinor,
    taxesRate: taxes.rate,
    subTotalIncludingTaxesMinor,
    creditNotesAmountMinor,
    prepaidCreditAmountMinor,
    totalMinor,
    feeTaxes: fees.map(feeTaxes),
  };
  assertTotalsAddUp(totals, fees);
  return totals;
}

/** Checked when an invoice is composed, and again when one is read back from the store. */
export function assertTotalsAddUp(
  totals: Omit<InvoiceTotals, 'feeTaxes' | 'taxesRate' | 'kind'>,
  fees: readonly Pick<Fee, 'amountMinor'>[],
): void {
  invariant(totals.feesAmountMinor === sumMinor(fees.map((fee) => fee.amountMinor)), 'The fees sum to the fees amount');
  invariant(
    totals.taxesAmountMinor === sumMinor(totals.taxes.map((tax) => tax.amountMinor)),
    'The taxes sum to the taxes amount',
  );
  invariant(
    totals.totalMinor ===
      totals.feesAmountMinor -
        totals.progressiveBillingCreditMinor -
        totals.couponsAmountMinor +
        totals.taxesAmountMinor -
        totals.creditNotesAmountMinor -
        totals.prepaidCreditAmountMinor,
    'The lines of an invoice sum to its total',
  );
}
