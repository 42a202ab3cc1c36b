import { expect, it } from '@jest/globals';
import { idempotencyKey } from './idempotency-key.js';

const invoice = '0198f3a0-0000-7000-8000-000000000001';

it('names one charge: an invoice, an ordinal, a method', () => {
  expect(idempotencyKey(invoice, 1, 'pm_1')).toBe(`${invoice}/1/pm_1`);
  const keys = [
    idempotencyKey(invoice, 1, 'pm_1'),
    idempotencyKey(invoice, 2, 'pm_1'),
    idempotencyKey(invoice, 1, 'pm_2'),
  ];
  expect(new Set(keys).size).toBe(3);
});

it.each([0, -1, 1.5, Number.NaN])('has no ordinal %p', (attempt) => {
  expect(() => idempotencyKey(invoice, attempt, 'pm_1')).toThrow('counted from 1');
});

it('fits into what the gateways take', () => {
  expect(() => idempotencyKey(invoice, 1, 'x'.repeat(250))).toThrow('at most 255');
});
