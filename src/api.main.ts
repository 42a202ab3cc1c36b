import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiModule, type ApiServices } from './api.module.js';
import { serveOpenApi } from './api.openapi.js';
import { readinessProbes } from './api.probes.js';
import { createPaymentsService, registerStripeWebhook, StripeWebhooks } from './collection/index.js';
import { SubscriptionTerms } from './catalog/subscription-terms.js';
import { entities } from './entities.js';
import { EventExpressions, keepUsageStreams, registerIngestion, UsagePublisher } from './ingestion/index.js';
import { CurrentUsageService } from './invoicing/current-usage.service.js';
import { MetricDefinitions, UsageReader } from './metering/index.js';
import { TemporalClockStarter } from './orchestration/clock-starter.js';
import { PaymentNews } from './orchestration/payment-news.js';
import { TemporalInvoiceCommands } from './orchestration/temporal-invoice-commands.js';
import { TemporalWaker } from './orchestration/temporal-waker.js';
import { ApiKeys } from './organizations/index.js';
import type { Config } from './platform/config.js';
import { Database } from './platform/database/database.js';
import { acceptOnlyJson, answerAfterRefusedBody, BODY_LIMIT } from './platform/http/json-parser.js';
import { problemOf } from './platform/http/problem-of.js';
import { createLogger } from './platform/logging/logger.js';
import { NatsLink } from './platform/nats/nats-link.js';
import { createTemporalClient } from './platform/temporal/client.js';
import { FixedChargeUnitsOfSubscriptions } from './subscriptions/fixed-charge-units.js';
import { SubscriptionCommands } from './subscriptions/subscription-commands.js';
import { TestClocks } from './test-clocks/test-clocks.service.js';

export interface RunningApi {
  readonly url: string;
  /** Takes no new requests, finishes those under way, then closes what they used. */
  stop(): Promise<void>;
}

/** Routes that do without Nest: the ingestion for its speed, webhooks for their raw body. */
export type RawRoutes = (fastify: FastifyInstance) => void;

/** The api process. It starts whether its servers answer or not; `/health/ready` tells. */
export async function startApi(config: Config): Promise<RunningApi> {
  const logger = createLogger('api', config.logLevel);
  const database = await Database.connect(config.databaseUrl, entities, { poolSize: 16 });
  const nats = NatsLink.open(config.natsUrl, 'billow-api', logger);
  const temporal = createTemporalClient(config);
  const waker = new TemporalWaker(temporal, database, config, logger);
  const apiKeys = new ApiKeys(database);
  const expressions = new EventExpressions(database);
  const publisher = new UsagePublisher(nats, config, logger);
  const payments = createPaymentsService(database, config);
  const webhooks = new StripeWebhooks(database, payments, new PaymentNews(waker), logger);
  const stopping = new AbortController();
  const streams = keepUsageStreams(nats, config, () => storedSequences(database), logger, stopping.signal);

  const definitions = new MetricDefinitions();
  const services: ApiServices = {
    config,
    logger,
    database,
    apiKeys,
    probes: readinessProbes(database, nats, temporal, config.temporalNamespace),
    metricDefinitions: definitions,
    subscriptions: new SubscriptionCommands(database, waker, new SubscriptionTerms(definitions)),
    fixedChargeUnits: new FixedChargeUnitsOfSubscriptions(waker),
    expressions,
    invoiceCommands: new TemporalInvoiceCommands(temporal, database, waker, config),
    currentUsage: new CurrentUsageService(database, new UsageReader()),
    testClocks: new TestClocks(database, new TemporalClockStarter(temporal, config)),
  };
  const app = await createApi(services, (fastify) => {
    registerIngestion(fastify, {
      apiKeys,
      database,
      expressions,
      publisher,
      usagePartitions: config.usagePartitions,
      logger,
    });
    registerStripeWebhook(fastify, { webhooks, logger });
  });
  const stop = async () => {
    await app.close();
    await publisher.close();
    stopping.abort();
    await streams;
    await nats.close();
    await temporal.connection.close();
    await database.close();
  };
  try {
    await app.listen(config.port, config.host);
  } catch (error) {
    // Open connections would keep a process alive that serves nothing.
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The api cannot listen at ${config.host}:${config.port}: ${reason}`, { cause: error });
  }
  const url = await app.getUrl();
  logger.info({ url }, 'the api listens');
  return { url, stop };
}

/** The application without its servers, so that a test can stand it on what it likes. It is ready to listen or inject. */
export async function createApi(
  services: ApiServices,
  rawRoutes: RawRoutes = () => undefined,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    // Ids are the client's own and may be long; percent-encoding makes them up to nine times longer.
    routerOptions: { maxParamLength: 10_000, ignoreTrailingSlash: true },
    forceCloseConnections: 'idle',
    // An address that cannot even be decoded never reaches a route.
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) => {
      const { status, body } = problemOf(error);
      void reply.status(status).send(body);
    },
  });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  acceptOnlyJson(fastify);
  answerAfterRefusedBody(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.with(services), adapter, {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  rawRoutes(fastify);
  serveOpenApi(app);
  await app.init();
  await fastify.ready();
  return app;
}

async function storedSequences(database: Database): Promise<Map<number, number>> {
  const rows = await database.system((em) =>
    em.execute<{ partition: number; stream_sequence: string }[]>(
      'select partition, stream_sequence from partition_watermarks',
    ),
  );
  return new Map(rows.map((row) => [row.partition, Number(row.stream_sequence)]));
}
