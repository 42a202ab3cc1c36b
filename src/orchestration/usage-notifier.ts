import { entities } from '../entities.js';
import type { UsageNotifier } from '../metering/index.js';
import type { Config } from '../platform/config.js';
import { Database } from '../platform/database/database.js';
import { createLogger } from '../platform/logging/logger.js';
import { createTemporalClient } from '../platform/temporal/client.js';
import { TemporalWaker } from './temporal-waker.js';

/** The consumer's way to the workflows, with connections of its own: usage is stored whether Temporal is there or not. */
export async function createUsageNotifier(config: Config): Promise<UsageNotifier & { close(): Promise<void> }> {
  const logger = createLogger('consumer', config.logLevel);
  const database = await Database.connect(config.databaseUrl, entities, { poolSize: 4 });
  const client = createTemporalClient(config);
  const waker = new TemporalWaker(client, database, config, logger);
  return {
    notify: (rows) => waker.notify(rows),
    billInAdvance: (subscriptions) => waker.billInAdvance(subscriptions),
    async close() {
      await client.connection.close();
      await database.close();
    },
  };
}
