import { randomUUID } from 'node:crypto';
import type { EntityManager } from '../platform/database/database.js';
import { CustomerEntity, type CustomerRow } from './customer.entity.js';

/** The next number of a customer within its organization; the lock is held until the transaction ends. */
export async function nextSequentialId(em: EntityManager, organizationId: string): Promise<number> {
  await em.execute(`select pg_advisory_xact_lock(hashtextextended('customers/' || ?::text, 0))`, [organizationId]);
  const [row] = await em.execute<{ next: number }[]>(
    `select coalesce(max(sequential_id), 0)::int + 1 as next from customers where organization_id = ?`,
    [organizationId],
  );
  return row?.next ?? 1;
}

/** A customer of whom only the external id is known, as a subscription for an unknown customer creates it. */
export async function newCustomer(em: EntityManager, organizationId: string, externalId: string): Promise<CustomerRow> {
  const now = new Date();
  const customer = em.create(CustomerEntity, {
    id: randomUUID(),
    organizationId,
    externalId,
    sequentialId: await nextSequentialId(em, organizationId),
    taxCodes: [],
    profile: {},
    invoiceSequence: 0,
    createdAt: now,
    updatedAt: now,
  });
  await em.flush();
  return customer;
}
