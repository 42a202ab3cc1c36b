import { entities } from './entities.js';
import { DueMomentSweep } from './orchestration/sweep.js';
import { TemporalWaker } from './orchestration/temporal-waker.js';
import type { Config } from './platform/config.js';
import { Database } from './platform/database/database.js';
import { createLogger } from './platform/logging/logger.js';
import { createTemporalClient } from './platform/temporal/client.js';

/** Workflows can be lost without losing anything: each is started again where the record says it stands (invariant 8). */
export async function rebuildWorkflows(config: Config): Promise<void> {
  const logger = createLogger('rebuild', config.logLevel);
  const database = await Database.connect(config.databaseUrl, entities);
  const client = createTemporalClient(config);
  try {
    const sweep = new DueMomentSweep(database, new TemporalWaker(client, database, config, logger), config, logger);
    const told = await sweep.rebuild((count) => logger.info({ told: count }, 'workflows told'));
    process.stdout.write(`${told} workflows started or told of their due moment\n`);
  } finally {
    await client.connection.close();
    await database.close();
  }
}
