import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { dimensionsKey, type MeteredEvent } from '../domain/metering/metered-event.js';
import { type Decimal, ZERO } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { textArray } from './array-literal.js';
import { EVENT_COLUMNS, eventOf, type EventRow } from './event-rows.js';
import { cutoffOf, type UsageRange } from './usage-range.js';

/** Names the slice that usage with these dimensions belongs to: `chargeSlice(charge, dimensions).key`. */
export type SliceOf = (dimensions: Dimensions) => string;

/** How far the single events of a slice are read. */
export interface TransactionBounds {
  /** At most so many. */
  readonly limit?: number;
  /** Ends behind the first value with which the running total is above this. */
  readonly enough?: Decimal;
}

/** What the per-event rules of one charge ask for: the slices whose events they look at. */
export interface TransactionsRequest {
  readonly metric: MetricDefinition;
  readonly sliceOf: SliceOf;
  readonly slices: ReadonlyMap<string, TransactionBounds>;
}

const FIRST_PAGE = 500;
const LARGEST_PAGE = 10_000;

/**
 * The values of the counted events of each slice in billing order (time, then arrival), as the per-event rules of percentage
 * prices need them; the answers stand in the order of the requests. One reading serves all of them, page by page, and ends
 * when every slice has what it asked for.
 */
export async function readTransactions(
  em: EntityManager,
  range: UsageRange,
  requests: readonly TransactionsRequest[],
): Promise<Map<string, Decimal[]>[]> {
  const wanted = requests.map((request) => new WantedTransactions(request));
  let after: { at: number; sequence: string } = { at: range.from, sequence: '-1' };
  let page = Math.max(FIRST_PAGE, ...wanted.map((each) => Math.min(LARGEST_PAGE, each.largestLimit)));
  for (;;) {
    const open = wanted.filter((each) => !each.isComplete());
    if (open.length === 0) break;
    const rows = await em.execute<EventRow[]>(
      `select ${EVENT_COLUMNS}
         from events
        where organization_id = ? and external_subscription_id = ? and "timestamp" >= to_timestamp(?::float8 / 1000)
          and "timestamp" < to_timestamp(?::float8 / 1000)
          and ("timestamp", ingest_sequence) > (to_timestamp(?::float8 / 1000), ?::bigint)
          and code = any(?::text[]) and ingest_sequence <= ?::bigint
        order by "timestamp", ingest_sequence
        limit ?::int`,
      [
        range.organizationId,
        range.externalSubscriptionId,
        after.at,
        range.to,
        after.at,
        after.sequence,
        textArray([...new Set(open.map(({ metric }) => metric.code))]),
        cutoffOf(range),
        page,
      ],
    );
    for (const each of open) each.take(rows);
    const last = rows.at(-1);
    if (rows.length < page || last === undefined) break;
    after = { at: last.at_ms, sequence: last.ingest_sequence };
    page = Math.min(LARGEST_PAGE, page * 4);
  }
  return wanted.map(({ values }) => values);
}

/** Collects the transactions of one charge, slice by slice, until each has what it asked for. */
class WantedTransactions {
  readonly metric: MetricDefinition;
  readonly values = new Map<string, Decimal[]>();
  /** The total so far of each slice that asks for more. */
  private readonly open = new Map<string, Decimal>();
  private readonly slices: (event: MeteredEvent) => string;

  constructor(private readonly request: TransactionsRequest) {
    this.metric = request.metric;
    this.slices = remembered(request.sliceOf);
    for (const [slice, { limit }] of request.slices) {
      this.values.set(slice, []);
      if (limit !== 0) this.open.set(slice, ZERO);
    }
  }

  get largestLimit(): number {
    return Math.max(0, ...Array.from(this.request.slices.values(), ({ limit }) => limit ?? 0));
  }

  isComplete(): boolean {
    return this.open.size === 0;
  }

  take(rows: readonly EventRow[]): void {
    for (const row of rows) {
      if (this.isComplete()) return;
      if (row.code !== this.metric.code) continue;
      const event = eventOf(this.metric, row);
      if (event.counted) this.add(this.slices(event), event.value ?? ZERO);
    }
  }

  private add(slice: string, value: Decimal): void {
    const before = this.open.get(slice);
    if (before === undefined) return;
    const { limit, enough } = this.request.slices.get(slice)!;
    const values = this.values.get(slice)!;
    const total = before.plus(value);
    values.push(value);
    if (values.length === limit || (enough !== undefined && total.greaterThan(enough))) this.open.delete(slice);
    else this.open.set(slice, total);
  }
}

export function bySlice(events: readonly MeteredEvent[], sliceOf: SliceOf): Map<string, MeteredEvent[]> {
  return Map.groupBy(events, remembered(sliceOf));
}

/** Events are many and their dimensions few: a slice is looked for once per dimensions. */
function remembered(sliceOf: SliceOf): (event: MeteredEvent) => string {
  const known = new Map<string, string>();
  return ({ dimensions }) => {
    const key = dimensionsKey(dimensions);
    const slice = known.get(key) ?? sliceOf(dimensions);
    known.set(key, slice);
    return slice;
  };
}
