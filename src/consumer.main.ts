import { UsageConsumer, type UsageNotifier } from './metering/index.js';
import type { Config } from './platform/config.js';
import { createLogger } from './platform/logging/logger.js';

export interface RunningConsumer {
  /** Ends after the transactions under way. */
  stop(): Promise<void>;
}

/**
 * The consumer process: JetStream → Postgres. Starts whether its servers answer or not, and goes on when they come back.
 * `notifier` is told of usage that fell into periods billed already, and of usage to bill in advance.
 */
export function startConsumer(config: Config, notifier: UsageNotifier): RunningConsumer {
  const logger = createLogger('consumer', config.logLevel);
  logger.info({ partitions: config.usagePartitions }, 'consumer starts');
  return UsageConsumer.start(config, notifier, logger);
}
