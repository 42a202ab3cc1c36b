import { randomUUID } from 'node:crypto';
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import Fastify, { type FastifyInstance } from 'fastify';
import pg from 'pg';
import type { AggregationKind, MetricDefinition, MetricFilter } from '../../src/domain/catalog/billable-metric.js';
import { instant } from '../../src/domain/calendar/instant.js';
import { entities } from '../../src/entities.js';
import { EventExpressions, keepUsageStreams, registerIngestion, UsagePublisher } from '../../src/ingestion/index.js';
import {
  CutoffBarrier,
  type LateUsageNotice,
  MetricDefinitions,
  readWatermarks,
  UsageConsumer,
  UsageReader,
} from '../../src/metering/index.js';
import { ApiKeys, issueApiKey } from '../../src/organizations/index.js';
import { type Config, loadConfig } from '../../src/platform/config.js';
import { Database } from '../../src/platform/database/database.js';
import { createLogger } from '../../src/platform/logging/logger.js';
import { NatsLink } from '../../src/platform/nats/nats-link.js';
import { testDatabase, testNats } from '../system/servers.js';

export interface Tenant {
  readonly id: string;
  readonly key: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Record<string, never> & { status?: number; error?: string; code?: string; error_details?: unknown };
}

/** The road from the HTTP route to the aggregates on a database and a NATS of its own, in this process. */
export class UsageRoad {
  readonly late: LateUsageNotice[] = [];
  /** Lets the notifier fail. */
  deafness: Error | null = null;
  consumer: UsageConsumer | null = null;
  private streams: Promise<void> = Promise.resolve();
  private readonly closing = new AbortController();

  private constructor(
    readonly config: Config,
    readonly database: Database,
    readonly sql: pg.Pool,
    readonly link: NatsLink,
    readonly publisher: UsagePublisher,
    readonly fastify: FastifyInstance,
    readonly barrier: CutoffBarrier,
    readonly nats: { pid(): number },
    private readonly closeServers: () => Promise<void>,
  ) {}

  static async open(options: { env?: Record<string, string>; deadlineMs?: number } = {}): Promise<UsageRoad> {
    const [server, nats] = await Promise.all([testDatabase(), testNats()]);
    const config = loadConfig({
      DATABASE_URL: server.url,
      NATS_URL: nats.url,
      TEMPORAL_ADDRESS: 'unused',
      LOG_LEVEL: process.env['BILLOW_TEST_LOG'] ?? 'silent',
      ...options.env,
    });
    const logger = createLogger('test', config.logLevel);
    const database = await Database.connect(server.url, entities);
    const sql = new pg.Pool({ connectionString: server.url, max: 4 });
    // A killed Postgres is part of some tests.
    sql.on('error', () => undefined);
    const link = NatsLink.open(nats.url, 'test', logger);
    const publisher = new UsagePublisher(
      link,
      { ...config, ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }) },
      logger,
    );
    const fastify = Fastify();
    const apiKeys = new ApiKeys(database);
    registerIngestion(fastify, {
      apiKeys,
      database,
      expressions: new EventExpressions(database),
      publisher,
      usagePartitions: config.usagePartitions,
      logger,
    });
    await fastify.ready();
    const barrier = new CutoffBarrier(link, database, config.usagePartitions);
    const road = new UsageRoad(config, database, sql, link, publisher, fastify, barrier, nats, async () => {
      await server.drop();
      await nats.stop();
    });
    road.streams = keepUsageStreams(link, config, () => readWatermarks(sql), logger, road.closing.signal);
    // They are made one after the other, in the background: a partition takes events before the last one is there.
    await eventually('every partition has its stream', () =>
      road.settle().then(
        () => true,
        (error: unknown) => {
          if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return false;
          throw error;
        },
      ),
    );
    return road;
  }

  async close(): Promise<void> {
    await this.stopConsumer();
    await this.fastify.close();
    await this.publisher.close();
    this.closing.abort();
    await this.streams;
    await this.link.close();
    await this.sql.end();
    await this.database.close();
    await this.closeServers();
  }

  startConsumer(): UsageConsumer {
    const logger = createLogger('consumer', this.config.logLevel);
    const notify = async (rows: readonly LateUsageNotice[]) => {
      if (this.deafness !== null) throw this.deafness;
      this.late.push(...rows);
    };
    return (this.consumer = UsageConsumer.start(this.config, { notify, billInAdvance: async () => {} }, logger));
  }

  async stopConsumer(): Promise<void> {
    await this.consumer?.stop();
    this.consumer = null;
  }

  async tenant(): Promise<Tenant> {
    const id = randomUUID();
    const key = await this.database.system(async (em) => {
      await em.execute(
        `insert into organizations (id, name, document_number_prefix, created_at, updated_at) values (?, 'T', 'T', now(), now())`,
        [id],
      );
      const issued = issueApiKey(em, id, new Date());
      await em.flush();
      return issued;
    });
    return { id, key };
  }

  /** Creates a metric as the catalog does: its row and the notice to metering in one transaction. */
  async metric(
    tenant: Tenant,
    code: string,
    aggregation: AggregationKind,
    fieldName: string | null = aggregation === 'count_agg' ? null : 'value',
    filters: readonly MetricFilter[] = [],
    { recurring = false, groupKeys = [] }: { recurring?: boolean; groupKeys?: readonly string[] } = {},
  ): Promise<MetricDefinition> {
    const id = randomUUID();
    await this.database.tenant(tenant.id, async (em) => {
      await em.execute(
        `insert into billable_metrics (id, organization_id, code, name, aggregation_type, field_name, filters, recurring, created_at, updated_at)
         values (?, ?, ?, ?, ?, ?, ?::jsonb, ?, now(), now())`,
        [id, tenant.id, code, code, aggregation, fieldName, JSON.stringify(filters), recurring],
      );
      const definitions = new MetricDefinitions();
      await definitions.changed(em, tenant.id, id);
      await definitions.groupedBy(em, tenant.id, id, groupKeys);
    });
    return { id, code, aggregation, fieldName, recurring, rounding: null, filters, groupKeys };
  }

  async post(tenant: Tenant, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.fastify.inject({
      method: 'POST',
      url: path,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant.key}`, ...headers },
      payload: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  }

  event(tenant: Tenant, event: object): Promise<Answer> {
    return this.post(tenant, '/api/v1/events', { event });
  }

  batch(tenant: Tenant, events: readonly object[]): Promise<Answer> {
    return this.post(tenant, '/api/v1/events/batch', { events });
  }

  settle(): Promise<void> {
    return this.barrier.settle(AbortSignal.timeout(20_000));
  }

  /** Units as text by metric and dimensions: what a person would compare. */
  async usage(
    tenant: Tenant,
    subscription: string,
    metrics: readonly MetricDefinition[],
    range: { from: number; to: number; cutoffSequence?: number },
    seenBy: Tenant = tenant,
  ): Promise<Record<string, string>> {
    const { from, to, cutoffSequence } = range;
    const groups = await this.database.tenant(seenBy.id, (em) =>
      new UsageReader().read(em, {
        organizationId: tenant.id,
        externalSubscriptionId: subscription,
        from: instant(from),
        to: instant(to),
        metrics,
        ...(cutoffSequence === undefined ? {} : { cutoffSequence }),
      }),
    );
    const shown: Record<string, string> = {};
    for (const metric of metrics) {
      for (const { dimensions, partial } of groups.get(metric.id) ?? []) {
        if (partial.eventsCount === 0) continue;
        const { latest, max, sum, moment, uniques, eventsCount } = partial;
        const present = [...uniques].filter(([, last]) => last.operation === 'add').map(([value]) => value);
        shown[`${metric.code} ${JSON.stringify(dimensions)}`] = [
          `${eventsCount} events`,
          `sum ${sum.toFixed()}`,
          `moment ${moment.toFixed()}`,
          `max ${max?.toFixed() ?? '-'}`,
          `latest ${latest?.value.toFixed() ?? '-'}`,
          `present ${present.sort().join(',')}`,
        ].join(', ');
      }
    }
    return shown;
  }
}

/** Waits for something that happens by itself; what it waits for is in the error when it does not. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined | false>, ms = 15_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`It did not come to pass: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
