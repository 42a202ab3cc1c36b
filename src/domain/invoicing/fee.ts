import type { Currency } from '../money/currency.js';
import { atLeastZero, Decimal, ZERO } from '../money/decimal.js';
import { fromMinorUnits, LARGEST_AMOUNT_MINOR, roundToMinorUnits, sumMinor } from '../money/money.js';
import type { SubscriptionFee } from '../proration/subscription-fee.js';
import type { AmountDetails, RatedAmount } from '../rating/rated-amount.js';
import type { Tax } from './taxes.js';

export type FeeKind = 'subscription' | 'charge' | 'fixed_charge' | 'commitment' | 'true_up' | 'add_on' | 'credit';

/** A priced line before it belongs to an invoice. */
export interface Fee {
  readonly kind: FeeKind;
  readonly currency: Currency;
  readonly units: Decimal;
  readonly eventsCount: number;
  readonly amountMinor: number;
  /** Unrounded, in currency units. */
  readonly preciseAmount: Decimal;
  readonly unitAmount: Decimal;
  readonly amountDetails: AmountDetails;
  readonly taxes: readonly Tax[];
  /** In minor units, 5 decimals. */
  readonly couponShareMinor: Decimal;
}

/**
 * The fee of metered usage: the rated amount rounded once to the currency (reference 2.5).
 *
 * Example: 51.2345 EUR -> 5,123 cents, precise amount 51.2345.
 */
export function chargeFee(
  rated: RatedAmount,
  context: {
    readonly kind?: 'charge' | 'fixed_charge';
    readonly currency: Currency;
    readonly eventsCount: number;
    readonly taxes: readonly Tax[];
    /** Units as they are, where those that were priced are weighted by time. */
    readonly fullUnits?: Decimal;
  },
): Fee {
  return {
    kind: context.kind ?? 'charge',
    currency: context.currency,
    units: atLeastZero(context.fullUnits ?? rated.units),
    eventsCount: context.eventsCount,
    amountMinor: roundToMinorUnits(rated.amount, context.currency),
    preciseAmount: rated.amount,
    unitAmount: rated.unitAmount,
    amountDetails: rated.amountDetails,
    taxes: context.taxes,
    couponShareMinor: ZERO,
  };
}

/**
 * The fee of a plan for a period: one unit of it.
 *
 * Example: 3,750 cents of a plan of 5,000 for 21 of 28 days -> units 1, unit amount 37.5, details of 5,000.
 */
export function planFee(
  fee: SubscriptionFee,
  context: { readonly currency: Currency; readonly taxes: readonly Tax[]; readonly planAmountMinor: number },
): Fee {
  return {
    kind: 'subscription',
    currency: context.currency,
    units: new Decimal(1),
    eventsCount: 0,
    amountMinor: fee.amountMinor,
    preciseAmount: fee.preciseAmount,
    unitAmount: fromMinorUnits(fee.amountMinor, context.currency),
    amountDetails: { plan_amount_cents: context.planAmountMinor },
    taxes: context.taxes,
    couponShareMinor: ZERO,
  };
}

/**
 * What is missing to a minimum, as one unit of its own.
 *
 * Example: 1,928.571 of a charge's minimum are missing -> 1,929 cents, precise amount 19.28571.
 */
export function trueUpFee(
  kind: 'true_up' | 'commitment',
  trueUp: { readonly amountMinor: number; readonly preciseAmountMinor: Decimal },
  context: { readonly currency: Currency; readonly taxes: readonly Tax[] },
): Fee {
  return {
    kind,
    currency: context.currency,
    units: new Decimal(1),
    eventsCount: 0,
    amountMinor: trueUp.amountMinor,
    preciseAmount: fromMinorUnits(trueUp.preciseAmountMinor, context.currency),
    unitAmount: fromMinorUnits(trueUp.amountMinor, context.currency),
    amountDetails: {},
    taxes: context.taxes,
    couponShareMinor: ZERO,
  };
}

/**
 * Fees that are billed together are held at the largest amount together as well: an invoice of any number of absurd ones
 * still has totals that can be computed. The small ones are billed in full.
 *
 * Example: 99,999,999,999,999 and 1,000 cents -> 99,999,999,998,999 and 1,000.
 */
export function withinBounds<Line extends { readonly fee: Fee }>(lines: readonly Line[]): Line[] {
  if (sumMinor(lines.map(({ fee }) => fee.amountMinor)) <= LARGEST_AMOUNT_MINOR) return [...lines];
  const held = new Map<Line, Line>();
  let left = LARGEST_AMOUNT_MINOR;
  for (const line of [...lines].sort((a, b) => a.fee.amountMinor - b.fee.amountMinor)) {
    const amountMinor = Math.min(line.fee.amountMinor, left);
    left -= amountMinor;
    held.set(line, { ...line, fee: { ...line.fee, amountMinor } });
  }
  return lines.map((line) => held.get(line) ?? line);
}

/**
 * Nothing used and nothing to pay: such a fee is not kept (reference 2.5). A first flat amount at 0 units is, and so are
 * events that add up to nothing.
 */
export function isNegligible(fee: Pick<Fee, 'kind' | 'units' | 'amountMinor' | 'eventsCount'>): boolean {
  if (fee.amountMinor !== 0) return false;
  return fee.kind === 'subscription' || (fee.units.isZero() && fee.eventsCount === 0);
}
