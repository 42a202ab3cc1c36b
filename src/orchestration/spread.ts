import { createHash } from 'node:crypto';

/**
 * A customer's fixed share of the spread, in milliseconds: all subscriptions of a customer act at the same moment, and the
 * customers of a month end evenly over the window. Never part of an amount.
 */
export function spreadOf(customerId: string, spreadSeconds: number): number {
  const hash = createHash('sha256').update(customerId).digest().readUInt32BE(0);
  return Math.floor((hash / 2 ** 32) * spreadSeconds * 1000);
}
