import type { Decimal } from '../money/decimal.js';

/** Units of a charge in a period, with what some models need beside them. */
export interface MeteredUsage {
  readonly units: Decimal;
  readonly eventsCount: number;
  /** Prorated charges: the units as they are, not weighted by time. They choose the tier and divide the unit amount. */
  readonly fullUnits?: Decimal;
  /** What a fee shows beside its units: not weighted by time. */
  readonly totalAggregatedUnits?: Decimal;
  /** Percentage: cumulated values of the first events, one for each event that may still be free. */
  readonly runningTotals?: readonly Decimal[];
  /** Percentage with bounds per transaction: the value of each event in order. */
  readonly transactionValues?: readonly Decimal[];
  /** Dynamic: Σ of the amounts that the events carry, in hundredths of the currency unit. */
  readonly preciseTotalAmountCents?: Decimal;
  /** Prorated graduated: full and weighted units of each event in order. */
  readonly proratedSteps?: readonly { readonly units: Decimal; readonly prorated: Decimal }[];
}

/** Values as they stand in a fee's `amount_details`. */
export type AmountDetails = { readonly [key: string]: DetailValue };
export type DetailValue = string | number | null | readonly AmountDetails[];

/** The price of usage, not rounded: rounding belongs to the fee. Amounts in currency units. */
export interface RatedAmount {
  readonly kind: 'rated-amount';
  readonly amount: Decimal;
  readonly unitAmount: Decimal;
  readonly units: Decimal;
  readonly amountDetails: AmountDetails;
}
