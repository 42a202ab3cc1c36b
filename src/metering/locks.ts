import type { EntityManager } from '../platform/database/database.js';

/*
 * Advisory locks of metering, all of them held to the end of a transaction except `consumer/`, which a process holds as
 * long as it reads the partition. Who takes several takes them in this order: partition, then metering, then advance.
 *
 * - partition/<p>: exclusive by whoever writes usage of the partition, shared by a close that reads it. So a batch of usage
 *   is entirely before or entirely after a close.
 * - metering/<organization>: shared by whoever aggregates usage, exclusive by whoever changes what is aggregated.
 * - advance/<organization>/<subscription>: exclusive by whoever bills a subscription's usage paid in advance, so that events
 *   are billed one after the other.
 */
export const partitionLockKey = (partition: number): string => `partition/${partition}`;
export const meteringLockKey = (organizationId: string): string => `metering/${organizationId}`;
export const consumerLockKey = (partition: number): string => `consumer/${partition}`;

/** Holds back the consumer of a partition until the transaction of `em` ends. Closes do not hold back each other. */
export async function lockPartitionShared(em: EntityManager, partition: number): Promise<void> {
  await em.execute('select pg_advisory_xact_lock_shared(hashtextextended(?, 0))', [partitionLockKey(partition)]);
}

/** Until the transaction of `em` ends nobody else bills this subscription's usage paid in advance. */
export async function lockAdvanceBilling(
  em: EntityManager,
  organizationId: string,
  externalSubscriptionId: string,
): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(hashtextextended(?, 0))', [
    `advance/${organizationId}/${externalSubscriptionId}`,
  ]);
}
