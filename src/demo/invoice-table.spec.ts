import { amount } from './invoice-table.js';

test.each([
  [120_005, 'USD', '$1,200.05'],
  [5, 'USD', '$0.05'],
  [0, 'EUR', '€0.00'],
  [-1_234, 'EUR', '-€12.34'],
  [14_800, 'JPY', '¥14,800'],
  [0, 'JPY', '¥0'],
  [1_234_567, 'KWD', 'KWD 1,234.567'],
  [9_007_199_254_740_991, 'USD', '$90,071,992,547,409.91'],
])('%i %s is read as %s', (minor, currency, text) => {
  // Intl puts a no-break space after a currency it has no sign for.
  expect(amount(minor, currency).replace('\u00a0', ' ')).toBe(text);
});
