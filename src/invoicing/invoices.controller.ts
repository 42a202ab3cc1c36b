import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { findCustomer } from '../customers/index.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { cents, notYet } from '../platform/http/fields.js';
import { metaOf } from '../platform/http/pagination.js';
import { uuidInPath } from '../platform/http/path.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { CreditNoteEntity } from './credit-note.entity.js';
import { creditableMinor } from './invoice-credit.js';
import { invoiceViews, wholeInvoiceView } from './invoice-view.js';
import { InvoiceEntity, type InvoiceRow } from './invoice.entity.js';
import { type InvoiceListQuery, invoiceListQuery, listInvoiceIds } from './invoice-list.js';
import { invoiceAnswer, invoiceJson, listedInvoiceAnswer, listedInvoiceJson } from './invoice.mapping.js';
import { InvoiceCommands, type VoidCredit } from './ports.js';

const updateBody = wrapped(
  'invoice',
  z.object({ payment_status: z.enum(['pending', 'succeeded', 'failed']).optional(), metadata: notYet() }),
);

// Not wrapped, and may be missing altogether.
const voidBody = z
  .object({
    generate_credit_note: z.boolean().nullish(),
    credit_amount: cents().nullish(),
    refund_amount: cents().nullish(),
  })
  .nullish();

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

  /** Whoever was paid by other means says so. */
  @UpdateRoute('invoices/:lago_id', 'invoice', invoiceAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('lago_id') lagoId: string,
    @Body({ schema: updateBody }) { invoice: input }: z.infer<typeof updateBody>,
  ) {
    const id = uuidInPath(lagoId, 'invoice');
    await this.database.tenant(organizationId, (em) => findInvoice(em, organizationId, id));
    if (input.payment_status !== undefined) {
      await this.commands.setPaymentStatus(organizationId, id, input.payment_status);
    }
    return this.answer(organizationId, id);
  }

  /** Any finalized invoice, even a paid one; with `generate_credit_note` its amount is given back. */
  @CreateRoute('invoices/:lago_id/void', 'invoice', invoiceAnswer)
  async void(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('lago_id') lagoId: string,
    @Body({ schema: voidBody }) input: z.infer<typeof voidBody>,
  ) {
    const id = uuidInPath(lagoId, 'invoice');
    const credit = input?.generate_credit_note
      ? { creditMinor: input.credit_amount ?? 0, refundMinor: input.refund_amount ?? 0 }
      : undefined;
    await this.database.tenant(organizationId, async (em) => {
      const invoice = await findInvoice(em, organizationId, id);
      if (credit !== undefined && invoice.status === 'finalized') await checkVoidCredit(em, invoice, credit);
    });
    await this.commands.void(organizationId, id, credit);
    return this.answer(organizationId, id);
  }

  @CreateRoute('invoices/:lago_id/retry_payment', 'invoice', invoiceAnswer)
  retryPayment(@Organization() organization: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.command('retryPayment', organization, lagoId);
  }

  private async command(
    name: 'refresh' | 'finalize' | 'retryPayment',
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

async function checkVoidCredit(em: EntityManager, invoice: InvoiceRow, credit: VoidCredit): Promise<void> {
  const notes = await em.find(CreditNoteEntity, { invoiceId: invoice.id });
  const refunded = notes.reduce((sum, note) => sum + note.refundAmountCents, 0);
  const tooMuch = credit.creditMinor + credit.refundMinor > creditableMinor(invoice, notes);
  const notPaid = credit.refundMinor > invoice.totalPaidAmountCents - refunded;
  if (tooMuch || notPaid) {
    throw validationFailed({ credit_refund_amount: ['total_amount_exceeds_invoice_amount'] });
  }
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
