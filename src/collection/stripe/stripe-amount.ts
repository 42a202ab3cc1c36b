import { currencyExponent } from '../../domain/money/currency.js';
import { GatewayConfigurationError } from '../payment-gateway.js';

/** Stripe counts these in whole units although ISO 4217 gives them two digits, or the other way round. */
const stripeExponents: ReadonlyMap<string, number> = new Map([
  ['MGA', 0],
  // Without a minor unit by now; Stripe keeps two digits, which have to be zero.
  ['ISK', 2],
  ['UGX', 2],
]);
/** Stripe refuses the last digit of these: they settle in steps of ten. */
const stepsOfTen = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);

/**
 * Minor units as Stripe counts them (docs.stripe.com/currencies). An amount that Stripe cannot express is refused, never
 * rounded: the invoice and the charge would differ.
 *
 * Example: 1116 EUR cents → 1116; 500 ISK → 50000; 500 MGA (5.00) → 5; 1235 KWD fils → refused, 1230 → 1230.
 */
export function toStripeAmount(amountMinor: number, currency: string): number {
  const shift = (stripeExponents.get(currency) ?? currencyExponent(currency)) - currencyExponent(currency);
  const amount = shift >= 0 ? amountMinor * 10 ** shift : amountMinor / 10 ** -shift;
  if (!Number.isSafeInteger(amount) || (stepsOfTen.has(currency) && amount % 10 !== 0)) {
    throw new GatewayConfigurationError(
      `Stripe cannot charge ${amountMinor} minor units of ${currency}: it does not count that finely.`,
    );
  }
  return amount;
}
