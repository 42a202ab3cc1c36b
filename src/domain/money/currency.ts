import { invariant } from '../invariant.js';

/** ISO 4217 code, upper case. */
export type Currency = string;

const WITHOUT_MINOR_UNIT = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF';
const THREE_DIGITS = 'BHD IQD JOD KWD LYD OMR TND';
const TWO_DIGITS =
  'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP ' +
  'CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR ' +
  'JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN ' +
  'NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC ' +
  'SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWL';

const EXPONENTS: ReadonlyMap<Currency, number> = new Map([
  ...WITHOUT_MINOR_UNIT.split(' ').map((code) => [code, 0] as const),
  ...TWO_DIGITS.split(' ').map((code) => [code, 2] as const),
  ...THREE_DIGITS.split(' ').map((code) => [code, 3] as const),
]);

export function isCurrency(code: unknown): code is Currency {
  return typeof code === 'string' && EXPONENTS.has(code);
}

/** Digits of the minor unit: JPY 0, EUR 2, KWD 3. An unknown code is a defect: the boundary checks `isCurrency`. */
export function currencyExponent(code: Currency): number {
  const exponent = EXPONENTS.get(code);
  invariant(exponent !== undefined, `${code} is a currency of ISO 4217`);
  return exponent;
}
