import { entities } from './entities.js';
import type { Config } from './platform/config.js';
import { Database } from './platform/database/database.js';
import { ensureNamespace } from './platform/temporal/namespace.js';

/** The schema of Postgres and the namespace of Temporal, both idempotent: run before each deployment. */
export async function migrate(config: Config): Promise<void> {
  const database = await Database.connect(config.databaseUrl, entities, { poolSize: 3 });
  try {
    await database.migrate();
  } finally {
    await database.close();
  }
  await ensureNamespace(config.temporalAddress, config.temporalNamespace, config.temporalRetentionDays);
}
