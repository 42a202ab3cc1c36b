import { instant } from '../domain/calendar/instant.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import { plainArray } from '../metering/array-literal.js';
import { lockAdvanceBilling } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { SubscriptionPauseEntity } from '../subscriptions/subscription-pause.entity.js';
import { type AdvanceEventRow, AdvanceRating, type RatedEvents, type SubscriptionKey } from './advance-rating.js';
import { eventFeeRow } from './event-fee.js';
import { invoiceOfEvent } from './event-invoice.js';

export interface AdvanceBilling {
  readonly fees: number;
  /** Moments of new invoices that their workflows have to be told of. */
  readonly moments: readonly DueMomentRow[];
  /** Whether more waits. */
  readonly pending: boolean;
}

/** As many as make the round trips cheap, and few enough that a transaction is short. */
const EVENTS_AT_ONCE = 200;

/**
 * Bills the next events that a subscription's charges paid in advance wait for, in the order in which they came: a fee for
 * each charge and event, and for invoiceable charges an invoice with it (lago-api.md 1.3, 2.4). The events leave the queue in
 * the same transaction, so each is billed once, whoever asks and however often.
 *
 * An event belongs to the subscription that lived at its time and to the period that its time lies in, however late it
 * comes; one outside of every life is ignored (lago-api.md 2.2), and so is one in a pause.
 */
export async function billNextInAdvance(em: EntityManager, key: SubscriptionKey): Promise<AdvanceBilling> {
  const { organizationId, externalSubscriptionId } = key;
  await lockAdvanceBilling(em, organizationId, externalSubscriptionId);
  const [waiting] = await em.execute<{ through_sequence: string }[]>(
    'select through_sequence::text from advance_usage where organization_id = ? and external_subscription_id = ?',
    [organizationId, externalSubscriptionId],
  );
  if (waiting === undefined) return { fees: 0, moments: [], pending: false };
  const events = await nextEvents(em, key);
  const lines = await new AdvanceRating(em, key).rate(await outsidePauses(em, key, events));
  const billed = await storeLines(em, organizationId, lines);
  const last = events.at(-1)?.sequence ?? 0;
  await em.execute(
    `delete from advance_events
      where organization_id = ? and external_subscription_id = ? and ingest_sequence <= ?::bigint`,
    [organizationId, externalSubscriptionId, last],
  );
  if (events.length === EVENTS_AT_ONCE) return { ...billed, pending: true };
  // What came since has raised the row's sequence, and keeps the row.
  const through = Math.max(last, Number(waiting.through_sequence));
  const left = await em.execute<unknown[]>(
    `with gone as (
       delete from advance_usage
        where organization_id = ? and external_subscription_id = ? and through_sequence <= ?::bigint returning 1
     ) select 1 where not exists (select 1 from gone)`,
    [organizationId, externalSubscriptionId, through],
  );
  return { ...billed, pending: left.length > 0 };
}

/** Everything that waits, in the transaction of a step that must come after it. */
export async function billAllInAdvance(em: EntityManager, key: SubscriptionKey): Promise<DueMomentRow[]> {
  const moments: DueMomentRow[] = [];
  for (;;) {
    const billed = await billNextInAdvance(em, key);
    moments.push(...billed.moments);
    if (!billed.pending) return moments;
  }
}

async function storeLines(
  em: EntityManager,
  organizationId: string,
  { lines, ledger }: RatedEvents,
): Promise<Pick<AdvanceBilling, 'fees' | 'moments'>> {
  const first = lines[0];
  if (first === undefined) {
    await ledger.store(organizationId, new Date());
    return { fees: 0, moments: [] };
  }
  const moments: DueMomentRow[] = [];
  const customers = lines.filter((line) => line.use.charge.row.invoiceable).map((line) => line.context.customer.id);
  for (const id of [...new Set(customers)].sort()) {
    // Before any row that points to the customer: numbers are given under this lock.
    await em.execute('select 1 from customers where id = ? for update', [id]);
  }
  for (const line of lines) {
    if (!line.use.charge.row.invoiceable) eventFeeRow(em, line);
    else {
      // Each in a fork of its own: what is kept up to date at every flush is then one invoice, and not all of them.
      const own = em.fork({ keepTransactionContext: true }) as EntityManager;
      const moment = await invoiceOfEvent(own, line, eventFeeRow(own, line));
      if (moment !== null) moments.push(moment);
    }
  }
  await em.flush();
  await ledger.store(organizationId, first.now);
  return { fees: lines.length, moments };
}

/** What is billed next: the events that wait and are not in a pause, in order of ingest sequence. */
export async function nextToBill(em: EntityManager, key: SubscriptionKey): Promise<AdvanceEventRow[]> {
  return outsidePauses(em, key, await nextEvents(em, key));
}

/** The events that wait, in order of ingest sequence; as many as are billed at once. */
async function nextEvents(em: EntityManager, key: SubscriptionKey): Promise<AdvanceEventRow[]> {
  const rows = await em.execute<EventRow[]>(
    `select event_id as id, ingest_sequence::text as sequence from advance_events
      where organization_id = ? and external_subscription_id = ?
      order by ingest_sequence limit ${EVENTS_AT_ONCE}`,
    [key.organizationId, key.externalSubscriptionId],
  );
  if (rows.length === 0) return [];
  const events = await em.execute<StoredEventRow[]>(
    `select id, transaction_id, code, (extract(epoch from "timestamp") * 1000)::float8 as at_ms, properties,
            precise_total_amount_cents::text as precise
       from events where id = any(?::uuid[])`,
    [plainArray(rows.map(({ id }) => id))],
  );
  const byId = new Map(events.map((event) => [event.id, event]));
  return rows.flatMap(({ id, sequence }) => {
    const event = byId.get(id);
    return event === undefined ? [] : [eventOf(event, Number(sequence))];
  });
}

async function outsidePauses(
  em: EntityManager,
  { organizationId, externalSubscriptionId }: SubscriptionKey,
  events: readonly AdvanceEventRow[],
): Promise<AdvanceEventRow[]> {
  if (events.length === 0) return [];
  const pauses = await em.find(SubscriptionPauseEntity, { organizationId, externalSubscriptionId });
  const paused = (at: number) =>
    pauses.some(({ fromAt, untilAt }) => fromAt.getTime() <= at && (untilAt == null || at < untilAt.getTime()));
  return events.filter(({ at }) => !paused(at));
}

interface EventRow {
  readonly id: string;
  readonly sequence: string;
}

interface StoredEventRow {
  readonly id: string;
  readonly transaction_id: string;
  readonly code: string;
  readonly at_ms: number;
  readonly properties: Record<string, unknown>;
  readonly precise: string | null;
}

function eventOf(row: StoredEventRow, sequence: number): AdvanceEventRow {
  return {
    id: row.id,
    transactionId: row.transaction_id,
    code: row.code,
    at: instant(Math.round(row.at_ms)),
    sequence,
    properties: row.properties,
    preciseTotalAmountCents: row.precise === null ? ZERO : new Decimal(row.precise),
  };
}
