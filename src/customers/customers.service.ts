import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { OrganizationEntity, requireTaxes, taxesByCode } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import type { Page } from '../platform/http/pagination.js';
import { isUuid } from '../platform/http/path.js';
import { TestClockEntity, type TestClockRow } from '../test-clocks/test-clock.entity.js';
import { type CustomerListQuery, listCustomerIds } from './customer-list.js';
import { changedProfile } from './customer-profile.js';
import { type CustomerView, customerViews } from './customer-view.js';
import { CustomerEntity, type CustomerRow } from './customer.entity.js';
import type { CustomerInput } from './customer.input.js';
import { nextSequentialId } from './new-customer.js';
import { DraftsOfCustomer, SubscriptionsOfCustomer } from './ports.js';

/** Who pays. One request both creates and changes, by the external id. */
@Injectable()
export class CustomersService {
  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionsOfCustomer,
    private readonly drafts: DraftsOfCustomer,
  ) {}

  async upsert(organizationId: string, input: CustomerInput): Promise<CustomerView> {
    const { view, graceChanged, taxesChanged, tell } = await this.database.tenant(organizationId, async (em) => {
      const where = { organizationId, externalId: input.external_id, deletedAt: null };
      let existing = await em.findOne(CustomerEntity, where);
      let sequentialId = 0;
      if (!existing) {
        // Numbers are given under a lock; whoever asked for the same customer a moment earlier is visible once we hold it.
        sequentialId = await nextSequentialId(em, organizationId);
        existing = await em.findOne(CustomerEntity, where);
      }
      const graceBefore = existing?.invoiceGracePeriod ?? null;
      const taxesBefore = existing?.taxCodes.join() ?? '';
      const zoneBefore = existing?.timezone ?? null;
      const customer = existing ?? (await create(em, organizationId, input, sequentialId));
      if (existing) await requireUnmoved(em, existing, input);
      requireTaxes(input.tax_codes ?? [], await taxesByCode(em, organizationId));
      applyFields(customer, input);
      await em.flush();
      const { timezone: ofOrganization } = await em.findOneOrFail(OrganizationEntity, { id: organizationId });
      const zones = { from: zoneBefore ?? ofOrganization, to: customer.timezone ?? ofOrganization };
      const moves = existing !== null && zones.from !== zones.to;
      return {
        tell: moves ? await this.subscriptions.moved(em, customer, zones) : null,
        view: await viewOf(em, customer),
        graceChanged: existing !== null && (customer.invoiceGracePeriod ?? null) !== graceBefore,
        taxesChanged: existing !== null && customer.taxCodes.join() !== taxesBefore,
      };
    });
    await tell?.();
    if (graceChanged) await this.drafts.graceChanged(organizationId, view.customer.id);
    if (taxesChanged) await this.drafts.refreshDraftsTaxed(organizationId, view.customer.id);
    return view;
  }

  list(organizationId: string, query: CustomerListQuery): Promise<Page<CustomerView>> {
    return this.database.tenant(organizationId, async (em) => {
      const { ids, totalCount } = await listCustomerIds(em, organizationId, query);
      const views = await customerViews(em, organizationId, ids);
      return { items: ids.map((id) => views.get(id)!), totalCount };
    });
  }

  read(organizationId: string, externalId: string): Promise<CustomerView> {
    return this.database.tenant(organizationId, async (em) =>
      viewOf(em, await findCustomer(em, organizationId, externalId)),
    );
  }

  /** Its subscriptions end with their last invoices, which stay and are collected; the external id is free again. */
  async delete(organizationId: string, externalId: string): Promise<CustomerView> {
    const { id } = await this.database.tenant(organizationId, (em) => findCustomer(em, organizationId, externalId));
    // Ended first: a deletion cut short can be asked for again.
    await this.subscriptions.terminateAll(organizationId, id);
    return this.database.tenant(organizationId, async (em) => {
      const customer = await findCustomer(em, organizationId, externalId);
      const view = await viewOf(em, customer);
      customer.deletedAt = new Date();
      await em.flush();
      return view;
    });
  }
}

/** @throws 404 `customer_not_found` */
export async function findCustomer(
  em: EntityManager,
  organizationId: string,
  externalId: string,
): Promise<CustomerRow> {
  const customer = await em.findOne(CustomerEntity, { organizationId, externalId, deletedAt: null });
  if (!customer) throw notFound('customer');
  return customer;
}

async function create(
  em: EntityManager,
  organizationId: string,
  input: CustomerInput,
  sequentialId: number,
): Promise<CustomerRow> {
  const clock = await testClockOf(em, organizationId, input.test_clock_id);
  // A customer on a test clock is born on it.
  const now = clock?.frozenAt ?? new Date();
  return em.create(CustomerEntity, {
    id: randomUUID(),
    organizationId,
    externalId: input.external_id,
    sequentialId,
    taxCodes: [],
    testClockId: clock?.id ?? null,
    profile: {},
    invoiceSequence: 0,
    createdAt: now,
    updatedAt: now,
  });
}

async function testClockOf(
  em: EntityManager,
  organizationId: string,
  id: string | null | undefined,
): Promise<TestClockRow | null> {
  if (id == null) return null;
  const clock = isUuid(id) ? await em.findOne(TestClockEntity, { organizationId, id }) : null;
  if (!clock) throw validationFailed({ test_clock_id: ['value_is_invalid'] });
  return clock;
}

/** Time cannot be exchanged under a life that has begun, nor the currency under what was billed in it. */
async function requireUnmoved(em: EntityManager, customer: CustomerRow, input: CustomerInput): Promise<void> {
  if (input.test_clock_id != null && input.test_clock_id.toLowerCase() !== customer.testClockId) {
    throw validationFailed({ test_clock_id: ['value_is_invalid'] });
  }
  if (input.currency === undefined || customer.currency == null || input.currency === customer.currency) return;
  const [row] = await em.execute<{ used: boolean }[]>(
    `select exists (select from subscriptions where customer_id = ?)
         or exists (select from invoices where customer_id = ?) as used`,
    [customer.id, customer.id],
  );
  if (row?.used) throw validationFailed({ currency: ['currencies_does_not_match'] });
}

function applyFields(customer: CustomerRow, input: CustomerInput): void {
  const billing = input.billing_configuration ?? {};
  if (input.name !== undefined) customer.name = input.name;
  if (input.currency !== undefined) customer.currency = input.currency;
  if (input.timezone !== undefined) customer.timezone = input.timezone;
  if (input.net_payment_term !== undefined) customer.netPaymentTerm = input.net_payment_term;
  if (input.tax_codes != null) customer.taxCodes = [...new Set(input.tax_codes)];
  if (billing.invoice_grace_period !== undefined) customer.invoiceGracePeriod = billing.invoice_grace_period;
  if (billing.payment_provider !== undefined) customer.paymentProvider = billing.payment_provider;
  if (billing.payment_provider_code !== undefined) customer.paymentProviderCode = billing.payment_provider_code;
  if (billing.provider_customer_id !== undefined) customer.providerCustomerId = billing.provider_customer_id;
  if (billing.provider_payment_method_id !== undefined) {
    customer.providerPaymentMethodId = billing.provider_payment_method_id;
  }
  const now = new Date();
  customer.profile = { ...changedProfile(customer.profile, input, now) };
  // On a test clock `updated_at` must not lie years after a birth in the past.
  customer.updatedAt = customer.testClockId == null ? now : customer.updatedAt;
}

async function viewOf(em: EntityManager, customer: CustomerRow): Promise<CustomerView> {
  const views = await customerViews(em, customer.organizationId, [customer.id]);
  return views.get(customer.id)!;
}
