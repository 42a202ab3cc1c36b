import { LockMode } from '@mikro-orm/core';
import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import type { EntityManager } from '../platform/database/database.js';

/**
 * Held until the transaction ends. Under it, and only under it, invoices of the customer are composed and numbered and
 * credit notes are made and used: numbers have no gaps, a balance is spent once. Locks come in one order: partitions, then
 * an invoice, then its customer.
 */
export async function lockCustomer(em: EntityManager, customerId: string): Promise<CustomerRow> {
  return em.findOneOrFail(CustomerEntity, { id: customerId }, { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true });
}
