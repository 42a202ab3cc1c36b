/**
 * What travels in the log. A message is a JSON array of groups, one per HTTP request it carries: the organization, the
 * instant of receipt, and the events as arrays, because the names of the fields would be a third of the bytes.
 *
 *     [{"o": organization id, "r": received at, epoch ms,
 *       "e": [[id, transaction_id, code, external_subscription_id, timestamp in epoch ms, properties, precise cents | null]]}]
 *
 * Old messages stay readable: a field is only ever added, at the end of its array or as a new name of a group.
 */

export interface LoggedEvent {
  readonly id: string;
  readonly organizationId: string;
  readonly transactionId: string;
  readonly code: string;
  readonly externalSubscriptionId: string;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly properties: Readonly<Record<string, unknown>>;
  /** A plain decimal. */
  readonly preciseTotalAmountCents: string | null;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
}

/** The parts of an event as JSON texts: the api prints them twice, into the log and into its answer. */
export interface EventJson {
  readonly id: string;
  readonly transactionId: string;
  readonly code: string;
  readonly externalSubscriptionId: string;
  readonly timestamp: number;
  readonly properties: string;
  readonly preciseTotalAmountCents: string | null;
}

export function encodeEvent(event: EventJson): string {
  const precise = event.preciseTotalAmountCents === null ? 'null' : `"${event.preciseTotalAmountCents}"`;
  return (
    `["${event.id}",${event.transactionId},${event.code},${event.externalSubscriptionId},` +
    `${event.timestamp},${event.properties},${precise}]`
  );
}

export function encodeGroup(organizationId: string, receivedAt: number, encodedEvents: readonly string[]): string {
  return `{"o":"${organizationId}","r":${receivedAt},"e":[${encodedEvents.join(',')}]}`;
}

export function encodeMessage(groups: readonly string[]): string {
  return `[${groups.join(',')}]`;
}

/** The events of a message in their order. Throws with the reason when it is not a message of ours. */
export function decodeMessage(text: string): LoggedEvent[] {
  const groups: unknown = JSON.parse(text);
  if (!Array.isArray(groups)) throw new Error('not an array of groups');
  const events: LoggedEvent[] = [];
  for (const group of groups as { o?: unknown; r?: unknown; e?: unknown }[]) {
    const { o: organizationId, r: receivedAt, e: tuples } = group ?? {};
    if (!isUuid(organizationId) || typeof receivedAt !== 'number' || !Array.isArray(tuples)) {
      throw new Error('a group lacks its organization, its time or its events');
    }
    for (const tuple of tuples as unknown[]) {
      if (!isEventTuple(tuple)) throw new Error(`event ${events.length} lacks a field`);
      const [id, transactionId, code, externalSubscriptionId, timestamp, properties, preciseTotalAmountCents] = tuple;
      events.push({
        id,
        organizationId,
        transactionId,
        code,
        externalSubscriptionId,
        timestamp,
        properties,
        preciseTotalAmountCents,
        receivedAt,
      });
    }
  }
  return events;
}

type EventTuple = [string, string, string, string, number, Record<string, unknown>, string | null];

function isEventTuple(value: unknown): value is EventTuple {
  if (!Array.isArray(value) || value.length < 7) return false;
  const [id, transactionId, code, subscription, timestamp, properties, precise] = value as unknown[];
  return (
    isUuid(id) &&
    typeof transactionId === 'string' &&
    typeof code === 'string' &&
    typeof subscription === 'string' &&
    typeof timestamp === 'number' &&
    typeof properties === 'object' &&
    properties !== null &&
    (precise === null || typeof precise === 'string')
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}
