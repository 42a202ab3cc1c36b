import type { Currency } from '../money/currency.js';
import { Decimal, HUNDRED, sumDecimals, ZERO } from '../money/decimal.js';
import { roundMinor } from '../money/money.js';

export interface AppliedCoupon {
  readonly discount:
    | {
        readonly kind: 'fixed_amount';
        readonly amountMinor: number;
        readonly currency: Currency;
        readonly alreadyUsedMinor: number;
      }
    | { readonly kind: 'percentage'; readonly rate: Decimal };
  readonly frequency:
    | { readonly kind: 'once' }
    | { readonly kind: 'recurring'; readonly remaining: number }
    | { readonly kind: 'forever' };
  /** Indexes of the fees it may reduce; all when absent. */
  readonly feeIndexes?: readonly number[];
}

export interface CouponCredit {
  readonly amountMinor: number;
  readonly status: 'active' | 'terminated';
  /** Of a recurring coupon, after this invoice. */
  readonly remaining: number | null;
}

export interface CouponCredits {
  readonly kind: 'coupon-credits';
  /** One for each coupon in the order given; `null` for those of another currency or with nothing left to reduce. */
  readonly credits: readonly (CouponCredit | null)[];
  readonly totalMinor: number;
  /** The discount of each fee, in minor units, 5 decimals. */
  readonly feeShares: readonly Decimal[];
}

const SHARE_DECIMALS = 5;

/**
 * Applies coupons to fees in the order given, each on what the earlier ones left (reference 2.7). Amounts in minor units.
 *
 * Example: fees 10,000 / 5,000 / 3,000 / 2,000, coupon 1,000 -> shares 500 / 250 / 150 / 100.
 */
export function applyCoupons(
  feesMinor: readonly number[],
  coupons: readonly AppliedCoupon[],
  currency: Currency,
): CouponCredits {
  let shares = feesMinor.map(() => ZERO);
  const credits = coupons.map((coupon) => {
    const left = feesMinor.map((fee, index) =>
      coupon.feeIndexes && !coupon.feeIndexes.includes(index) ? ZERO : new Decimal(fee).minus(shares[index] ?? ZERO),
    );
    const base = sumDecimals(left);
    if (!base.greaterThan(0) || !isIn(currency, coupon)) return null;
    const amountMinor = Math.min(discountOn(base, coupon), roundMinor(base));
    shares = shares.map((share, index) => share.plus(shareOf(amountMinor, left[index] ?? ZERO, base)));
    return { amountMinor, ...afterUse(coupon, amountMinor) };
  });
  return {
    kind: 'coupon-credits',
    credits,
    totalMinor: credits.reduce((sum, credit) => sum + (credit?.amountMinor ?? 0), 0),
    feeShares: shares,
  };
}

function isIn(currency: Currency, { discount }: AppliedCoupon): boolean {
  return discount.kind === 'percentage' || discount.currency === currency;
}

function discountOn(base: Decimal, coupon: AppliedCoupon): number {
  const { discount } = coupon;
  switch (discount.kind) {
    case 'fixed_amount':
      // Only a coupon for one use is consumed across invoices; the others start anew each time.
      return discount.amountMinor - (coupon.frequency.kind === 'once' ? discount.alreadyUsedMinor : 0);
    case 'percentage':
      return roundMinor(base.times(discount.rate).div(HUNDRED));
    default:
      return discount satisfies never;
  }
}

function shareOf(amountMinor: number, left: Decimal, base: Decimal): Decimal {
  return Decimal.min(left, left.times(amountMinor).div(base).toDecimalPlaces(SHARE_DECIMALS));
}

function afterUse(coupon: AppliedCoupon, amountMinor: number): Omit<CouponCredit, 'amountMinor'> {
  const { frequency, discount } = coupon;
  switch (frequency.kind) {
    case 'once': {
      const exhausted =
        discount.kind === 'percentage' || discount.alreadyUsedMinor + amountMinor >= discount.amountMinor;
      return { status: exhausted ? 'terminated' : 'active', remaining: null };
    }
    case 'recurring': {
      const remaining = frequency.remaining - 1;
      return { status: remaining <= 0 ? 'terminated' : 'active', remaining };
    }
    case 'forever':
      return { status: 'active', remaining: null };
    default:
      return frequency satisfies never;
  }
}
