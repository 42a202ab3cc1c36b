import { currencyExponent } from '../domain/money/currency.js';
import { fromMinorUnits } from '../domain/money/money.js';

/** For people: `129.00 EUR`, `1200 JPY`. */
export function formatMinor(amountMinor: number, currency: string): string {
  return `${fromMinorUnits(amountMinor, currency).toFixed(currencyExponent(currency))} ${currency}`;
}
