import type { ClientBase, QueryResult } from 'pg';
import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Instant } from '../domain/calendar/instant.js';
import { ingestSequence } from '../platform/nats/usage-streams.js';
import { plainArray } from './array-literal.js';
import { meteringLockKey, partitionLockKey } from './locks.js';
import { meterRow } from './metered-row.js';
import {
  METRIC_DEFINITION_COLUMNS,
  metricDefinitionFromRow,
  type MetricDefinitionRow,
} from './metric-definition-row.js';
import type { UsageInAdvance } from './advance-usage.js';
import { Columns, statement } from './store-statement.js';
import type { LoggedEvent } from './usage-message.js';

/** One message of the log, decoded; `rejected` says why it cannot be. */
export interface LoggedMessage {
  readonly streamSequence: number;
  readonly events: readonly LoggedEvent[];
  readonly rejected: { readonly reason: string; readonly payload: Uint8Array } | null;
}

/** Usage that fell into a period that was billed already. */
export interface LateUsage {
  readonly organizationId: string;
  readonly billingPeriodId: string;
  readonly invoiceId: string | null;
  readonly throughSequence: number;
}

export interface Stored {
  /** Events that were not there before. */
  readonly inserted: number;
  readonly rejected: number;
  readonly late: readonly LateUsage[];
  /** Subscriptions that had nothing to bill in advance and now have. */
  readonly toBillInAdvance: readonly UsageInAdvance[];
}

/** Somebody else has moved the watermark: this process no longer owns the partition. */
export class PartitionTakenOver extends Error {}

interface Definitions {
  readonly version: string;
  readonly byCode: ReadonlyMap<string, MetricDefinition>;
  /** Metrics that some charge bills event by event. */
  readonly inAdvance: ReadonlySet<string>;
}

/** Each round trip costs the same for 1 event as for 5,000; past that, Postgres is what takes the time. */
export const EVENTS_PER_TRANSACTION = 5000;

/**
 * Writes batches of one partition's log into Postgres: events, aggregates, late usage and the watermark move in one
 * transaction, and the aggregates by the events that were really inserted. So a batch that is written again, after a crash
 * at any place, changes nothing, and no reader ever sees an event without its aggregate.
 *
 * Every connection has its own store: the statements are prepared once per connection.
 */
export class EventStore {
  private readonly definitions = new Map<string, Definitions>();

  constructor(
    private readonly client: ClientBase,
    private readonly partition: number,
  ) {}

  /** The stream sequence up to which this partition is stored. */
  async watermark(): Promise<number> {
    await this.client.query(
      `insert into partition_watermarks (partition, stream_sequence, updated_at) values ($1, 0, now())
       on conflict (partition) do nothing`,
      [this.partition],
    );
    const { rows } = await this.client.query<{ stream_sequence: string }>(
      'select stream_sequence from partition_watermarks where partition = $1',
      [this.partition],
    );
    return Number(rows[0]?.stream_sequence ?? 0);
  }

  /**
   * Stores the messages and moves the watermark from `watermark` to the last of them. When Postgres refuses the data of an
   * event (and not the state of the server, which throws), that event alone goes to `rejected_messages`.
   */
  async store(messages: readonly LoggedMessage[], watermark: number): Promise<Stored> {
    try {
      return await this.transaction(messages, watermark, (batch) => this.insert(batch));
    } catch (error) {
      if (!isDataError(error)) throw error;
      return await this.transaction(messages, watermark, (batch) => this.insertOrReject(batch));
    }
  }

  private async transaction(
    messages: readonly LoggedMessage[],
    watermark: number,
    write: (batch: readonly SequencedEvent[]) => Promise<Stored>,
  ): Promise<Stored> {
    const events = sequenced(messages);
    const organizations = [...new Set(events.map(({ event }) => event.organizationId))].sort();
    try {
      await this.begin(organizations, watermark);
      const stored = events.length > 0 ? await write(events) : NOTHING;
      const undecodable = messages.filter((message) => message.rejected !== null);
      for (const message of undecodable) await this.rejectMessage(message);
      const through = messages.at(-1)!.streamSequence;
      await this.client.query(
        `update partition_watermarks set stream_sequence = ${through}, updated_at = now()
         where partition = ${this.partition}; commit`,
      );
      return { ...stored, rejected: stored.rejected + undecodable.length };
    } catch (error) {
      // On a broken connection this fails as well; the session ends by the first error either way.
      await this.client.query('rollback').catch(() => undefined);
      this.definitions.clear();
      throw error;
    }
  }

  /**
   * Opens the transaction with its locks, in one round trip. Each statement sees what was committed before it began: the
   * versions are read after the locks are had, so that no definition can change until the commit.
   */
  private async begin(organizations: readonly string[], watermark: number): Promise<void> {
    // Decoding a message has made sure that these are UUIDs.
    const ids = organizations.map((id) => `'${id}'`).join(',') || 'null';
    const keys = organizations.map((id) => `('${meteringLockKey(id)}')`).join(',') || '(null)';
    const results = (await this.client.query(`
      begin;
      select pg_advisory_xact_lock(hashtextextended('${partitionLockKey(this.partition)}', 0));
      select pg_advisory_xact_lock_shared(hashtextextended(key, 0)) from (values ${keys}) as keys (key) where key is not null;
      select stream_sequence from partition_watermarks where partition = ${this.partition};
      select id, metering_version from organizations where id in (${ids})`)) as unknown as QueryResult[];
    const found = results[3]!.rows[0] as { stream_sequence: string } | undefined;
    if (Number(found?.stream_sequence) !== watermark) {
      throw new PartitionTakenOver(
        `Partition ${this.partition} stands at ${found?.stream_sequence}, not at ${watermark}: somebody else stores it`,
      );
    }
    await this.refreshDefinitions(results[4]!.rows as { id: string; metering_version: string }[]);
  }

  private async refreshDefinitions(versions: readonly { id: string; metering_version: string }[]): Promise<void> {
    const stale = versions.filter(({ id, metering_version }) => this.definitions.get(id)?.version !== metering_version);
    if (stale.length === 0) return;
    const { rows } = await this.client.query<MetricDefinitionRow & { readonly in_advance: boolean }>({
      name: 'metric-definitions',
      text: `select ${METRIC_DEFINITION_COLUMNS}, exists (
               select 1 from charges
                where charges.billable_metric_id = billable_metrics.id and pay_in_advance and charges.deleted_at is null
             ) as in_advance
               from billable_metrics where organization_id = any($1::uuid[]) and deleted_at is null`,
      values: [plainArray(stale.map(({ id }) => id))],
    });
    // Organizations come and go; what is not used any more must not stay for ever.
    if (this.definitions.size > 10_000) this.definitions.clear();
    for (const { id, metering_version } of versions) {
      if (this.definitions.get(id)?.version === metering_version) continue;
      const own = rows.filter((row) => row.organization_id === id);
      this.definitions.set(id, {
        version: metering_version,
        byCode: new Map(own.map((row) => [row.code, metricDefinitionFromRow(row)])),
        inAdvance: new Set(own.filter((row) => row.in_advance).map((row) => row.id)),
      });
    }
  }

  private async insert(events: readonly SequencedEvent[]): Promise<Stored> {
    const batch = new Columns();
    const seen = new Set<string>();
    for (const { event, sequence } of events) {
      // Of equal events the first wins, here as between batches; the statement would take whichever its sort puts first.
      if (seen.has(event.id)) continue;
      seen.add(event.id);
      const metric = this.definitions.get(event.organizationId)?.byCode.get(event.code);
      const { timestamp, properties } = event;
      const row = metric && meterRow(metric, { timestamp: timestamp as Instant, properties, sequence });
      batch.add(event, sequence, row ?? null);
      if (metric && this.definitions.get(event.organizationId)?.inAdvance.has(metric.id))
        batch.billInAdvance(metric.id);
    }
    const { name, text } = statement(batch.parts);
    const { rows } = await this.client.query<StoredRow>({ name, text, values: batch.values(this.partition) });
    const late = rows.filter((row) => row.billing_period_id !== null);
    return {
      inserted: Number(rows[0]?.inserted ?? 0),
      rejected: 0,
      late: late.map((row) => ({
        organizationId: row.organization_id!,
        billingPeriodId: row.billing_period_id!,
        invoiceId: row.invoice_id,
        throughSequence: Number(row.through_sequence),
      })),
      toBillInAdvance: rows[0]?.to_bill_in_advance ?? [],
    };
  }

  /** Halves what Postgres refuses until the events it will not take stand alone. */
  private async insertOrReject(events: readonly SequencedEvent[]): Promise<Stored> {
    await this.client.query('savepoint part');
    try {
      const stored = await this.insert(events);
      await this.client.query('release savepoint part');
      return stored;
    } catch (error) {
      if (!isDataError(error)) throw error;
      await this.client.query('rollback to savepoint part; release savepoint part');
      const [only] = events;
      if (events.length === 1 && only !== undefined) {
        await this.rejectEvent(only, (error as Error).message);
        return { ...NOTHING, rejected: 1 };
      }
      const middle = events.length >> 1;
      const first = await this.insertOrReject(events.slice(0, middle));
      const second = await this.insertOrReject(events.slice(middle));
      return {
        inserted: first.inserted + second.inserted,
        rejected: first.rejected + second.rejected,
        late: [...first.late, ...second.late],
        toBillInAdvance: [...first.toBillInAdvance, ...second.toBillInAdvance],
      };
    }
  }

  private async rejectMessage({ streamSequence, rejected }: LoggedMessage): Promise<void> {
    await this.reject(streamSequence, null, rejected!.reason, rejected!.payload);
  }

  private async rejectEvent({ event, streamSequence, index }: SequencedEvent, reason: string): Promise<void> {
    await this.reject(streamSequence, index, reason, Buffer.from(JSON.stringify(event)));
  }

  private async reject(streamSequence: number, index: number | null, reason: string, payload: Uint8Array) {
    await this.client.query(
      `insert into rejected_messages (partition, stream_sequence, event_index, reason, payload, rejected_at)
       values ($1, $2, $3, $4, $5, now())`,
      // A message of an error may quote what is wrong; Postgres takes no NUL there either.
      [this.partition, streamSequence, index, reason.replaceAll('\0', '\\0'), Buffer.from(payload)],
    );
  }
}

const NOTHING: Stored = { inserted: 0, rejected: 0, late: [], toBillInAdvance: [] };

interface SequencedEvent {
  readonly event: LoggedEvent;
  readonly sequence: number;
  readonly streamSequence: number;
  readonly index: number;
}

function sequenced(messages: readonly LoggedMessage[]): SequencedEvent[] {
  return messages.flatMap(({ streamSequence, events }) =>
    events.map((event, index) => ({
      event,
      sequence: ingestSequence(streamSequence, index),
      streamSequence,
      index,
    })),
  );
}

interface StoredRow {
  readonly inserted: string;
  readonly billing_period_id: string | null;
  readonly organization_id: string | null;
  readonly invoice_id: string | null;
  readonly through_sequence: string | null;
  /** The same in every row. */
  readonly to_bill_in_advance?: readonly UsageInAdvance[];
}

/** SQLSTATE classes that speak of the data alone: the same data will be refused for ever. */
function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(21|22|23|54)/.test(code) && code.length === 5;
}
