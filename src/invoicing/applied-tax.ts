/** A tax as applied to a fee or an invoice, stored with it so that a later change of the rate changes nothing issued. */
export interface AppliedTaxRow {
  lagoId: string;
  taxId: string;
  code: string;
  name: string;
  description: string | null;
  /** Percent, decimal string. */
  rate: string;
  amountCents: number;
  feesAmountCents: number;
}
