import { eventIdRange } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { limits, type Page, type PageRequest } from '../platform/http/pagination.js';
import type { EventRow } from './event.mapping.js';

export interface EventFilters {
  readonly externalSubscriptionId?: string | undefined;
  readonly code?: string | undefined;
  readonly timestampFrom?: Date | undefined;
  readonly timestampTo?: Date | undefined;
  /** From the start of the subscription on. */
  readonly fromStartedAt?: boolean | undefined;
}

const COLUMNS = `event.id, event.transaction_id, event.external_subscription_id, event.code, event.properties,
  event.precise_total_amount_cents::text, (extract(epoch from event."timestamp") * 1000)::float8 as at_ms,
  (extract(epoch from event.received_at) * 1000)::float8 as received_ms, subscription.id as subscription_id,
  subscription.customer_id`;

/** The subscription that lived at the event's time; of several that did, the one that started last (reference 2.1). */
const MATCHING_SUBSCRIPTION = `left join lateral (
    select id, customer_id from subscriptions
     where organization_id = event.organization_id and external_id = event.external_subscription_id
       and started_at <= event."timestamp" and (terminated_at is null or event."timestamp" <= terminated_at)
     order by started_at desc limit 1
  ) as subscription on true`;

/** Latest first. */
export async function listEvents(
  em: EntityManager,
  organizationId: string,
  filters: EventFilters,
  request: PageRequest,
): Promise<Page<EventRow>> {
  const { where, values } = conditions(organizationId, filters);
  const { limit, offset } = limits(request);
  const [count] = await em.execute<{ total: string }[]>(
    `select count(*) as total from events event where ${where}`,
    values,
  );
  const totalCount = Number(count?.total ?? 0);
  if (offset >= totalCount) return { items: [], totalCount };
  // The subscriptions are looked up for the page alone.
  const items = await em.execute<EventRow[]>(
    `select ${COLUMNS} from (
       select * from events event where ${where}
        order by "timestamp" desc, ingest_sequence desc limit ?::int offset ?::bigint
     ) as event ${MATCHING_SUBSCRIPTION} order by event."timestamp" desc, event.ingest_sequence desc`,
    [...values, limit, offset],
  );
  return { items, totalCount };
}

/** The first stored event of a transaction id; it may be used again on another subscription. */
export async function findEvent(
  em: EntityManager,
  organizationId: string,
  transactionId: string,
): Promise<EventRow | null> {
  const { first, last } = eventIdRange(organizationId, transactionId);
  const [row] = await em.execute<EventRow[]>(
    `select ${COLUMNS} from events event ${MATCHING_SUBSCRIPTION}
      where event.id between ?::uuid and ?::uuid and event.organization_id = ? and event.transaction_id = ?
      order by event.received_at, event.id limit 1`,
    [first, last, organizationId, transactionId],
  );
  return row ?? null;
}

function conditions(organizationId: string, filters: EventFilters): { where: string; values: unknown[] } {
  const where = ['event.organization_id = ?'];
  const values: unknown[] = [organizationId];
  const add = (condition: string, value: unknown) => {
    where.push(condition);
    values.push(value);
  };
  if (filters.externalSubscriptionId !== undefined) {
    add('event.external_subscription_id = ?', filters.externalSubscriptionId);
  }
  if (filters.code !== undefined) add('event.code = ?', filters.code);
  if (filters.timestampFrom !== undefined)
    add('event."timestamp" >= ?::timestamptz', filters.timestampFrom.toISOString());
  if (filters.timestampTo !== undefined) add('event."timestamp" <= ?::timestamptz', filters.timestampTo.toISOString());
  if (filters.fromStartedAt === true) {
    where.push(`event."timestamp" >= (
      select max(started_at) from subscriptions
       where organization_id = event.organization_id and external_id = event.external_subscription_id
    )`);
  }
  return { where: where.join(' and '), values };
}
