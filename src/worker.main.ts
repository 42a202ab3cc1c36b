import { fileURLToPath } from 'node:url';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createInvoiceActivities } from '../activities/invoice.activities.js';
import { createSubscriptionActivities } from '../activities/subscription.activities.js';
import { createTestClockActivities } from '../activities/test-clock.activities.js';
import { createPaymentsService, StripeWebhooks } from './collection/index.js';
import { entities } from './entities.js';
import { InvoiceLifecycle } from './invoicing/invoice-lifecycle.js';
import { CutoffBarrier, MetricDefinitions, UsageReader } from './metering/index.js';
import { PaymentNews } from './orchestration/payment-news.js';
import { DueMomentSweep } from './orchestration/sweep.js';
import { TemporalWaker } from './orchestration/temporal-waker.js';
import { SubscriptionTerms } from './catalog/subscription-terms.js';
import type { Config } from './platform/config.js';
import { Database } from './platform/database/database.js';
import { createLogger, type Logger } from './platform/logging/logger.js';
import { NatsLink } from './platform/nats/nats-link.js';
import { createTemporalClient } from './platform/temporal/client.js';
import { ensureNamespace } from './platform/temporal/namespace.js';
import { SubscriptionCommands } from './subscriptions/subscription-commands.js';
import { TestClockWalk } from './test-clocks/test-clock-walk.js';

export interface RunningWorker {
  /** Ends after the activities under way. */
  stop(): Promise<void>;
}

const SWEEP_EVERY_MS = 2_000;

/** The worker process: Temporal's workflows and activities, and the sweeps that hold Temporal to the record. */
export async function startWorker(config: Config): Promise<RunningWorker> {
  const logger = createLogger('worker', config.logLevel);
  Runtime.install({
    // This process ends itself in order: workers first, connections after.
    shutdownSignals: [],
    telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
  });
  await ensureNamespace(config.temporalAddress, config.temporalNamespace, config.temporalRetentionDays);
  const database = await Database.connect(config.databaseUrl, entities, { poolSize: 24 });
  const nats = NatsLink.open(config.natsUrl, 'billow-worker', logger);
  const client = createTemporalClient(config);
  const waker = new TemporalWaker(client, database, config, logger);
  const reader = new UsageReader();
  const barrier = new CutoffBarrier(nats, database, config.usagePartitions);
  const lifecycle = new InvoiceLifecycle(database, reader, barrier);
  const payments = createPaymentsService(database, config);
  const webhooks = new StripeWebhooks(database, payments, new PaymentNews(waker), logger);

  const connection = await NativeConnection.connect({ address: config.temporalAddress });
  const worker = await Worker.create({
    connection,
    namespace: config.temporalNamespace,
    taskQueue: config.temporalTaskQueue,
    workflowsPath: fileURLToPath(new URL('../workflows/index.js', import.meta.url)),
    activities: {
      ...createSubscriptionActivities({
        ...{ database, reader, barrier, waker, lifecycle },
        subscriptions: new SubscriptionCommands(database, waker, new SubscriptionTerms(new MetricDefinitions())),
        siblingPatienceSeconds: config.siblingPatienceSeconds,
      }),
      ...createInvoiceActivities({ database, lifecycle, payments }),
      ...createTestClockActivities(new TestClockWalk(database, barrier, waker, logger)),
    },
    // Explicit: the default cache grows with the heap and can take the whole process down with it.
    maxCachedWorkflows: 1_000,
    shutdownGraceTime: '20 seconds',
    // The library would hold beats back to four fifths of their timeout, and a busy machine would miss it by a hair.
    maxHeartbeatThrottleInterval: '5 seconds',
  });
  const sweep = new DueMomentSweep(database, waker, config, logger);
  const rounds = repeat(SWEEP_EVERY_MS, logger, [
    () => sweep.round(new Date()),
    () => webhooks.processPendingWebhooks(),
  ]);
  const running = worker.run();
  running.catch((error: unknown) => logger.fatal({ err: error }, 'the worker has ended'));
  logger.info({ taskQueue: config.temporalTaskQueue }, 'worker runs');

  return {
    async stop() {
      await rounds.stop();
      worker.shutdown();
      await running;
      await client.connection.close();
      await connection.close();
      await nats.close();
      await database.close();
    },
  };
}

// A round that fails is logged and made again: the record is what it works from, so nothing is lost by it.
function repeat(
  everyMs: number,
  logger: Logger,
  works: readonly (() => Promise<unknown>)[],
): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let wake = () => {};
  const loop = (async () => {
    while (!stopped) {
      for (const work of works) {
        await work().catch((error: unknown) => logger.warn({ err: error }, 'a sweep failed and is repeated'));
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (stopped) resolve();
        else timer = setTimeout(resolve, everyMs);
      });
    }
  })();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      wake();
      await loop;
    },
  };
}
