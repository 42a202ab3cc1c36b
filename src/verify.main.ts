import { entities } from './entities.js';
import { verifyUsage } from './metering/index.js';
import type { Config } from './platform/config.js';
import { Database } from './platform/database/database.js';

/** `billow verify usage`: prints every difference between the aggregates and the events; exit code 1 when there is one. */
export async function verifyUsageCommand(
  config: Config,
  options: { organization?: string; repair?: boolean },
): Promise<number> {
  const database = await Database.connect(config.databaseUrl, entities);
  const print = (line: string) => process.stdout.write(`${line}\n`);
  try {
    const result = await verifyUsage(database, {
      ...(options.organization === undefined ? {} : { organizationId: options.organization }),
      repair: options.repair ?? false,
    });
    for (const difference of result.differences) {
      const { organizationId, externalSubscriptionId, table, row, kind, stored, rebuilt } = difference;
      print(
        `${kind} ${table} ${organizationId} ${externalSubscriptionId} ${row}: stored ${stored}, events say ${rebuilt}`,
      );
    }
    print(
      `${result.organizations} organizations, ${result.subscriptions} subscriptions, ${result.buckets} aggregates: ` +
        `${result.differenceCount} differences, ${result.repairedSubscriptions} subscriptions repaired`,
    );
    return result.differenceCount === 0 || options.repair === true ? 0 : 1;
  } finally {
    await database.close();
  }
}
