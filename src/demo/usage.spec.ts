import { type CastSubscription, customers, lateMonths, year } from './cast.js';
import { usageOfYear } from './usage.js';

const subscriptions: CastSubscription[] = Object.values(customers).flatMap((customer) => customer.subscriptions);
const late = customers.polyglot.subscriptions[0]!;
const months = usageOfYear(year, 10_000, subscriptions, late, lateMonths);
const everything = months.flatMap(({ firstHalf, secondHalf, late }) => [...firstHalf, ...secondHalf, ...late]);

test('is the same in every run', () => {
  expect(usageOfYear(year, 10_000, subscriptions, late, lateMonths)).toEqual(months);
});

test('never uses a transaction id twice', () => {
  expect(new Set(everything.map(({ transaction_id: id }) => id)).size).toBe(everything.length);
});

test('is about as much as asked for', () => {
  expect(everything.length).toBeGreaterThan(9_000);
  expect(everything.length).toBeLessThan(10_000);
});

test('lies half a day inside its half month, so that no time zone closes a period that is still being sent', () => {
  for (const [index, { firstHalf, secondHalf, late }] of months.entries()) {
    const middle = Date.UTC(year, index, 15) / 1000;
    const end = Date.UTC(year, index + 1, 1) / 1000;
    const halfDay = 12 * 3600;
    for (const { timestamp } of [...firstHalf, ...late]) {
      expect(Number(timestamp)).toBeGreaterThanOrEqual(Date.UTC(year, index, 1) / 1000 + halfDay);
      expect(Number(timestamp)).toBeLessThan(middle - halfDay);
    }
    for (const { timestamp } of secondHalf) {
      expect(Number(timestamp)).toBeGreaterThanOrEqual(middle);
      expect(Number(timestamp)).toBeLessThan(end - halfDay);
    }
  }
});

test('sends nothing for a subscription that has not started or has ended', () => {
  for (const { id, startsAt, endsAt } of subscriptions) {
    const times = everything.filter((event) => event.external_subscription_id === id).map((event) => +event.timestamp);
    if (startsAt) expect(Math.min(...times) * 1000).toBeGreaterThanOrEqual(Date.parse(startsAt));
    if (endsAt) expect(Math.max(...times) * 1000).toBeLessThan(Date.parse(endsAt));
  }
});
