import { OrganizationEntity, type OrganizationRow, type TaxRow, taxesByCode } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { CustomerEntity, type CustomerRow } from './customer.entity.js';

/** A customer with what its JSON takes from the organization. */
export interface CustomerView {
  readonly customer: CustomerRow;
  readonly organization: OrganizationRow;
  readonly taxes: ReadonlyMap<string, TaxRow>;
}

/** The views of these customers by id, in three queries however many there are. Deleted ones too: their invoices stay. */
export async function customerViews(
  em: EntityManager,
  organizationId: string,
  customerIds: readonly string[],
): Promise<Map<string, CustomerView>> {
  const customers = await em.find(CustomerEntity, { organizationId, id: { $in: [...new Set(customerIds)] } });
  const organization = await em.findOneOrFail(OrganizationEntity, { id: organizationId });
  const taxes = await taxesByCode(em, organizationId);
  return new Map(customers.map((customer) => [customer.id, { customer, organization, taxes }]));
}
