import { Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { findCustomer } from '../customers/index.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { metaOf } from '../platform/http/pagination.js';
import { uuidInPath } from '../platform/http/path.js';
import { ListRoute, ReadRoute } from '../platform/http/routes.js';
import { CreditNoteEntity, type CreditNoteRow } from './credit-note.entity.js';
import { type CreditNoteListQuery, creditNoteListQuery, listCreditNoteIds } from './credit-note-list.js';
import { creditNoteAnswer, creditNoteJson } from './credit-note.mapping.js';
import { creditNoteViews } from './credit-note-view.js';

@ApiTags('credit_notes')
@Controller('api/v1')
export class CreditNotesController {
  constructor(private readonly database: Database) {}

  /** Newest first. */
  @ListRoute('credit_notes', 'credit_notes', creditNoteAnswer)
  list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: creditNoteListQuery }) query: CreditNoteListQuery,
  ) {
    return this.database.tenant(organizationId, (em) => page(em, organizationId, query));
  }

  @ListRoute('customers/:external_customer_id/credit_notes', 'credit_notes', creditNoteAnswer)
  listOfCustomer(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_customer_id') externalCustomerId: string,
    @Query({ schema: creditNoteListQuery }) query: CreditNoteListQuery,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      const customer = await findCustomer(em, organizationId, externalCustomerId);
      return page(em, organizationId, query, customer.id);
    });
  }

  @ReadRoute('credit_notes/:lago_id', 'credit_note', creditNoteAnswer)
  read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    const id = uuidInPath(lagoId, 'credit_note');
    return this.database.tenant(organizationId, async (em) => {
      const note = await em.findOne(CreditNoteEntity, { organizationId, id, status: 'finalized' });
      if (note === null) throw notFound('credit_note');
      const [view] = await creditNoteViews(em, organizationId, [note]);
      return { credit_note: creditNoteJson(view!) };
    });
  }
}

async function page(em: EntityManager, organizationId: string, query: CreditNoteListQuery, customerId?: string) {
  const { ids, totalCount } = await listCreditNoteIds(em, organizationId, query, customerId);
  const notes = await em.find(CreditNoteEntity, { id: { $in: ids } });
  const byId = new Map(notes.map((note) => [note.id, note]));
  const views = await creditNoteViews(
    em,
    organizationId,
    ids.map((id) => byId.get(id) as CreditNoteRow),
  );
  return { credit_notes: views.map(creditNoteJson), meta: metaOf(query, totalCount) };
}
