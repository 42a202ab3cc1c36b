import { Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { findCustomer } from '../customers/index.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { metaOf } from '../platform/http/pagination.js';
import { uuidInPath } from '../platform/http/path.js';
import { CreateRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { invoiceViews, wholeInvoiceView } from './invoice-view.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';
import { type InvoiceListQuery, invoiceListQuery, listInvoiceIds } from './invoice-list.js';
import { invoiceAnswer, invoiceJson, listedInvoiceAnswer, listedInvoiceJson } from './invoice.mapping.js';
import { InvoiceCommands } from './ports.js';

@ApiTags('invoices')
@Controller('api/v1')
export class InvoicesController {
  constructor(
    private readonly database: Database,
    private readonly commands: InvoiceCommands,
  ) {}

  /** Newest first. */
  @ListRoute('invoices', 'invoices', listedInvoiceAnswer)
  list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: invoiceListQuery }) query: InvoiceListQuery,
  ) {
    return this.database.tenant(organizationId, (em) => page(em, organizationId, query));
  }

  @ListRoute('customers/:external_customer_id/invoices', 'invoices', listedInvoiceAnswer)
  listOfCustomer(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_customer_id') externalCustomerId: string,
    @Query({ schema: invoiceListQuery }) query: InvoiceListQuery,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      const customer = await findCustomer(em, organizationId, externalCustomerId);
      return page(em, organizationId, query, customer.id);
    });
  }

  @ReadRoute('invoices/:lago_id', 'invoice', invoiceAnswer)
  read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.answer(organizationId, uuidInPath(lagoId, 'invoice'));
  }

  /** Computes a draft again from the usage known by now; any other invoice is answered as it is. */
  @UpdateRoute('invoices/:lago_id/refresh', 'invoice', invoiceAnswer)
  refresh(@Organization() organization: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.command('refresh', organization, lagoId);
  }

  /** Ends the grace period of a draft at once. */
  @UpdateRoute('invoices/:lago_id/finalize', 'invoice', invoiceAnswer)
  finalize(@Organization() organization: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.command('finalize', organization, lagoId);
  }

  @CreateRoute('invoices/:lago_id/void', 'invoice', invoiceAnswer)
  void(@Organization() organization: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.command('void', organization, lagoId);
  }

  @CreateRoute('invoices/:lago_id/retry_payment', 'invoice', invoiceAnswer)
  retryPayment(@Organization() organization: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.command('retryPayment', organization, lagoId);
  }

  private async command(
    name: 'refresh' | 'finalize' | 'void' | 'retryPayment',
    { organizationId }: AuthenticatedOrganization,
    lagoId: string,
  ) {
    const id = uuidInPath(lagoId, 'invoice');
    await this.database.tenant(organizationId, (em) => findInvoice(em, organizationId, id));
    await this.commands[name](organizationId, id);
    return this.answer(organizationId, id);
  }

  private answer(organizationId: string, id: string) {
    return this.database.tenant(organizationId, async (em) => {
      const invoice = await findInvoice(em, organizationId, id);
      return { invoice: invoiceJson(await wholeInvoiceView(em, invoice)) };
    });
  }
}

async function findInvoice(em: EntityManager, organizationId: string, id: string): Promise<InvoiceRow> {
  const invoice = await em.findOne(InvoiceEntity, { organizationId, id });
  if (!invoice) throw notFound('invoice');
  return invoice;
}

async function page(em: EntityManager, organizationId: string, query: InvoiceListQuery, customerId?: string) {
  const { ids, totalCount } = await listInvoiceIds(em, organizationId, query, customerId);
  const invoices = await em.find(InvoiceEntity, { id: { $in: ids } });
  const byId = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  const views = await invoiceViews(
    em,
    organizationId,
    ids.map((id) => byId.get(id) as InvoiceRow),
  );
  return { invoices: views.map(listedInvoiceJson), meta: metaOf(query, totalCount) };
}
