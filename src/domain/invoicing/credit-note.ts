import { invariant } from '../invariant.js';
import { allocate } from '../money/allocate.js';
import type { Currency } from '../money/currency.js';
import { Decimal, sumDecimals, ZERO } from '../money/decimal.js';
import { roundMinor, sumMinor } from '../money/money.js';
import { invoiceTaxes, type InvoiceTax, feeTaxes, type TaxableFee } from './taxes.js';

/** What the end of a subscription does with unused time that was paid in advance (reference 2.6). */
export const CREDIT_MODES = ['credit', 'refund', 'offset', 'skip'] as const;
export type CreditMode = (typeof CREDIT_MODES)[number];

export interface CreditNoteInput {
  readonly currency: Currency;
  /** Parts of the invoice's fees, in minor units; one fee at most once. */
  readonly items: readonly { readonly fee: TaxableFee; readonly amountMinor: number }[];
  /** The notes made before of the same invoice. */
  readonly earlier: readonly { readonly taxesAmountMinor: number; readonly preciseTaxesMinor: Decimal }[];
  /** With this note nothing of the invoice's fees is left. */
  readonly takesTheRest: boolean;
  /** The total that was agreed on, when the items follow from it: the taxes are what it has beyond them. */
  readonly totalMinor?: number;
}

export interface CreditNoteAmounts {
  readonly kind: 'credit-note-amounts';
  readonly itemsAmountMinor: number;
  /** The coupons' share of the items is not given back: it was never paid. */
  readonly couponsAdjustmentMinor: number;
  readonly preciseCouponsAdjustmentMinor: Decimal;
  readonly subTotalExcludingTaxesMinor: number;
  readonly taxes: readonly InvoiceTax[];
  readonly taxesAmountMinor: number;
  readonly preciseTaxesMinor: Decimal;
  /** Weighted by the items, in percent. */
  readonly taxesRate: Decimal;
  readonly totalMinor: number;
  readonly preciseTotalMinor: Decimal;
}

const PRECISE_DECIMALS = 5;

/**
 * The amounts of a credit note from its items: less their share of coupons, plus the taxes of the fees they come from
 * (reference 2.6, 2.7). All in minor units. Sub-total and taxes are rounded by themselves; where that would make the note
 * larger than its unrounded total, the taxes give way, so that notes stay within their invoice. The note that takes what
 * is left of an invoice makes up for what rounding did in the earlier ones.
 *
 * Example: 3,571 of a fee taxed at 20 % -> taxes 714, total 4,285.
 *
 * Throws when an item takes more than its fee or nothing of it.
 */
export function composeCreditNote(input: CreditNoteInput): CreditNoteAmounts {
  const parts = input.items.map(({ fee, amountMinor }): TaxableFee => {
    invariant(
      Number.isSafeInteger(amountMinor) && amountMinor >= 0 && amountMinor <= fee.amountMinor,
      'A credit note takes no more of a fee than there is',
    );
    return { amountMinor, couponShareMinor: couponShare(fee, amountMinor), taxes: fee.taxes };
  });
  const itemsAmountMinor = sumMinor(parts.map((part) => part.amountMinor));
  const preciseCouponsAdjustmentMinor = precise(sumDecimals(parts.map((part) => part.couponShareMinor)));
  const couponsAdjustmentMinor = roundMinor(preciseCouponsAdjustmentMinor);
  const preciseSubTotal = new Decimal(itemsAmountMinor).minus(preciseCouponsAdjustmentMinor);
  const subTotalExcludingTaxesMinor = roundMinor(preciseSubTotal);
  const roundedAway = input.takesTheRest
    ? sumDecimals(input.earlier.map((note) => note.preciseTaxesMinor.minus(note.taxesAmountMinor)))
    : ZERO;
  const preciseTaxesMinor = precise(sumDecimals(parts.map((part) => feeTaxes(part).preciseAmountMinor))).plus(
    roundedAway,
  );
  const preciseTotalMinor = preciseSubTotal.plus(preciseTaxesMinor);
  const ownTotalMinor = Math.min(
    roundMinor(preciseTotalMinor),
    subTotalExcludingTaxesMinor + roundMinor(preciseTaxesMinor),
  );
  const totalMinor = input.totalMinor ?? ownTotalMinor;
  const taxesAmountMinor = totalMinor - subTotalExcludingTaxesMinor;
  invariant(taxesAmountMinor >= 0, 'A credit note is not smaller than its items');
  const lines = invoiceTaxes(parts);
  return {
    kind: 'credit-note-amounts',
    itemsAmountMinor,
    couponsAdjustmentMinor,
    preciseCouponsAdjustmentMinor,
    subTotalExcludingTaxesMinor,
    taxes: summingTo(taxesAmountMinor, lines.taxes),
    taxesAmountMinor,
    preciseTaxesMinor,
    taxesRate: lines.rate,
    totalMinor,
    preciseTotalMinor,
  };
}

// In proportion: half of a fee takes half of its coupons along.
function couponShare(fee: TaxableFee, amountMinor: number): Decimal {
  return fee.amountMinor === 0 ? ZERO : fee.couponShareMinor.times(amountMinor).div(fee.amountMinor);
}

function precise(amount: Decimal): Decimal {
  return amount.toDecimalPlaces(PRECISE_DECIMALS);
}

// The largest line carries what rounding of the whole note took from or gave to its lines.
function summingTo(totalMinor: number, lines: readonly InvoiceTax[]): InvoiceTax[] {
  const difference = totalMinor - sumMinor(lines.map((line) => line.amountMinor));
  const largest = lines.reduce(
    (best, line, index) => (line.amountMinor > (lines[best]?.amountMinor ?? 0) ? index : best),
    0,
  );
  return lines.map((line, index) =>
    index === largest ? { ...line, amountMinor: line.amountMinor + difference } : line,
  );
}

/**
 * What a note over an amount with tax takes of each fee, in proportion to what is left of it. `leftMinor` is all that is
 * left of the invoice, tax included; amounts in minor units.
 *
 * Example: 600 of 1,200 with fees of 700 and 300 -> 350 and 150.
 */
export function spreadOverFees(totalMinor: number, leftMinor: number, feesMinor: readonly number[]): number[] {
  const left = sumMinor(feesMinor);
  if (left === 0) return feesMinor.map(() => 0);
  const taken = roundMinor(new Decimal(left).times(totalMinor).div(leftMinor));
  return allocate(
    taken,
    feesMinor.map((fee) => new Decimal(fee)),
  );
}

export interface CreditSplit {
  readonly creditMinor: number;
  readonly refundMinor: number;
  readonly offsetMinor: number;
}

/**
 * Where the total of a note for unused time goes. `refund` gives back what was paid for the unused part: payments cover
 * what was used first. `offset` takes off what is still due on the invoice. Whatever neither takes becomes credit. Amounts
 * in minor units; the parts sum to the total.
 *
 * Example: 40 unused of an invoice of 100 with 80 paid -> refund: 20 refunded, 20 credited; offset: 20 off, 20 credited.
 */
export function splitCredit(
  totalMinor: number,
  mode: Exclude<CreditMode, 'skip'>,
  invoice: { readonly totalMinor: number; readonly paidMinor: number; readonly dueMinor: number },
): CreditSplit {
  const within = (amount: number) => Math.max(0, Math.min(totalMinor, amount));
  const used = Math.max(0, invoice.totalMinor - totalMinor);
  const refundMinor = mode === 'refund' ? within(invoice.paidMinor - used) : 0;
  const offsetMinor = mode === 'offset' ? within(invoice.dueMinor) : 0;
  return { creditMinor: totalMinor - refundMinor - offsetMinor, refundMinor, offsetMinor };
}

export interface CreditUse {
  /** Index of the note in the order given. */
  readonly note: number;
  readonly amountMinor: number;
  readonly balanceMinor: number;
}

/**
 * Takes an invoice's total from the balances of credit notes, one after the other in the order given (reference 2.7: by
 * age), until nothing is due. Amounts in minor units.
 *
 * Example: due 6,000, balances 1,000 and 8,000 -> 1,000 (nothing left) and 5,000 (3,000 left).
 */
export function useCredits(dueMinor: number, balancesMinor: readonly number[]): CreditUse[] {
  invariant(dueMinor >= 0 && balancesMinor.every((balance) => balance >= 0), 'Dues and balances are not negative');
  const uses: CreditUse[] = [];
  let left = dueMinor;
  for (const [note, balance] of balancesMinor.entries()) {
    const amountMinor = Math.min(left, balance);
    if (amountMinor === 0) continue;
    left -= amountMinor;
    uses.push({ note, amountMinor, balanceMinor: balance - amountMinor });
  }
  invariant(
    left + sumMinor(uses.map((use) => use.amountMinor)) === dueMinor,
    'Credits and what stays due are the whole',
  );
  return uses;
}
