import { Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { metaOf, pageQuery } from '../platform/http/pagination.js';
import { booleanFilter, instantFilter, textFilter } from '../platform/http/query-fields.js';
import { ListRoute, ReadRoute } from '../platform/http/routes.js';
import { eventAnswer, eventJson } from './event.mapping.js';
import { findEvent, listEvents } from './event.repository.js';

const listQuery = z.object({
  ...pageQuery,
  external_subscription_id: textFilter(),
  code: textFilter(),
  timestamp_from: instantFilter('from'),
  timestamp_to: instantFilter('to'),
  timestamp_from_started_at: booleanFilter(),
});

/**
 * Reads events back. An event that was accepted a moment ago is found as soon as the consumer has stored it, which is
 * usually a few milliseconds later; until then it is not there. Sending events is in `ingestion.routes.ts`.
 */
@ApiTags('events')
@Controller('api/v1/events')
export class EventsController {
  constructor(private readonly database: Database) {}

  @ListRoute('', 'events', eventAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    const filters = {
      externalSubscriptionId: query.external_subscription_id,
      code: query.code,
      timestampFrom: query.timestamp_from,
      timestampTo: query.timestamp_to,
      fromStartedAt: query.timestamp_from_started_at,
    };
    const { items, totalCount } = await this.database.tenant(organizationId, (em) =>
      listEvents(em, organizationId, filters, query),
    );
    return { events: items.map(eventJson), meta: metaOf(query, totalCount) };
  }

  @ReadRoute(':transaction_id', 'event', eventAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('transaction_id') transactionId: string,
  ) {
    const row = await this.database.tenant(organizationId, (em) => findEvent(em, organizationId, transactionId));
    if (row === null) throw notFound('event');
    return { event: eventJson(row) };
  }
}
