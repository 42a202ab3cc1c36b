import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import { applicableTaxes, type Tax } from '../domain/invoicing/taxes.js';
import { Decimal } from '../domain/money/decimal.js';
import { OrganizationEntity, type OrganizationRow } from '../organizations/organization.entity.js';
import { TaxEntity, type TaxRow } from '../organizations/tax.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import type { AppliedTaxRow } from './applied-tax.js';

/** Who is billed, by whose rules. */
export interface BillingContext {
  readonly organization: OrganizationRow;
  readonly customer: CustomerRow;
  readonly zone: string;
  readonly graceDays: number;
  readonly netPaymentTermDays: number;
  /** Invoices without any amount are issued as well (lago-api.md 1.8). */
  readonly issuesNothing: boolean;
  readonly taxes: readonly TaxRow[];
}

export async function loadBillingContext(
  em: EntityManager,
  organizationId: string,
  customerId: string,
): Promise<BillingContext> {
  const organization = await em.findOneOrFail(OrganizationEntity, { id: organizationId });
  const customer = await em.findOneOrFail(CustomerEntity, { id: customerId });
  return {
    organization,
    customer,
    zone: customer.timezone ?? organization.timezone,
    graceDays: customer.invoiceGracePeriod ?? organization.invoiceGracePeriod,
    netPaymentTermDays: customer.netPaymentTerm ?? organization.netPaymentTerm,
    issuesNothing: issuesNothing(organization, customer),
    taxes: await em.find(TaxEntity, { organizationId }, { orderBy: { createdAt: 'asc', code: 'asc' } }),
  };
}

function issuesNothing({ finalizeZeroAmountInvoice }: OrganizationRow, { profile }: CustomerRow): boolean {
  const own = profile['finalize_zero_amount_invoice'] ?? 'inherit';
  return own === 'inherit' ? finalizeZeroAmountInvoice : own === 'finalize';
}

/** The taxes of a fee: the first level that names any wins (lago-api.md 2.8). A code that no longer exists names nothing. */
export function taxesOf(
  context: Pick<BillingContext, 'taxes' | 'customer'>,
  levels: { readonly charge?: readonly string[]; readonly plan: readonly string[] },
): readonly Tax[] {
  const named = (codes: readonly string[]) => context.taxes.filter((tax) => codes.includes(tax.code)).map(toTax);
  return applicableTaxes({
    charge: named(levels.charge ?? []),
    plan: named(levels.plan),
    customer: named(context.customer.taxCodes),
    organization: context.taxes.filter((tax) => tax.appliedToOrganization).map(toTax),
  });
}

/** A tax as it was when it was applied; an issued document never asks for today's rate. */
export function taxFromApplied(row: AppliedTaxRow): Tax {
  return { code: row.code, name: row.name, description: row.description, rate: new Decimal(row.rate) };
}

function toTax(row: TaxRow): Tax {
  return { code: row.code, name: row.name, description: row.description ?? null, rate: new Decimal(row.rate) };
}
