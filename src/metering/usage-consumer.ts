import pg from 'pg';
import type { Config } from '../platform/config.js';
import type { Logger } from '../platform/logging/logger.js';
import { NatsLink } from '../platform/nats/nats-link.js';
import { AdvanceUsageNotices, type AdvanceUsageNotifier } from './advance-usage.js';
import { LateUsageNotices, type LateUsageNotifier } from './late-usage.js';
import { PartitionConsumer, pause } from './partition-consumer.js';

const MEMBERSHIP_KEY = 'consumers';
const MEMBERSHIP_EVERY_MS = 1000;
const SWEEP_EVERY_MS = 5000;
const REPORT_EVERY_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/** Who is told of usage that needs more than to be stored. */
export type UsageNotifier = LateUsageNotifier & AdvanceUsageNotifier;

export interface ConsumerCounts {
  messages: number;
  events: number;
  inserted: number;
  rejected: number;
}

/**
 * The consumer process: reads every partition it can get hold of, up to its fair share.
 *
 * Processes know of each other through a shared advisory lock that each of them holds; of n processes each reads
 * ⌈partitions ÷ n⌉ at most. One that dies loses its locks with its connections, and the others take over within a second.
 */
export class UsageConsumer {
  readonly counts: ConsumerCounts = { messages: 0, events: 0, inserted: 0, rejected: 0 };
  private readonly stopping = new AbortController();
  private readonly owned = new Map<number, AbortController>();
  private share: number;
  private readonly link: NatsLink;
  private readonly pool: pg.Pool;
  private readonly notices: LateUsageNotices;
  private readonly inAdvance: AdvanceUsageNotices;
  private readonly work: Promise<unknown>;

  private constructor(
    private readonly config: Config,
    notifier: UsageNotifier,
    private readonly logger: Logger,
  ) {
    this.share = config.usagePartitions;
    this.link = NatsLink.open(config.natsUrl, 'billow consumer', logger);
    this.pool = new pg.Pool({ connectionString: config.databaseUrl, max: 3, application_name: 'billow consumer' });
    this.pool.on('error', (error) => logger.warn({ err: error }, 'lost a connection to Postgres'));
    this.notices = new LateUsageNotices(this.pool, notifier, logger);
    this.inAdvance = new AdvanceUsageNotices(this.pool, notifier, logger);
    const partitions = Array.from({ length: config.usagePartitions }, (_, partition) => this.keepReading(partition));
    this.work = Promise.all([...partitions, this.keepMembership(), this.keepSweeping(), this.keepReporting()]);
  }

  /** Starts at once and waits by itself for the servers it needs. */
  static start(config: Config, notifier: UsageNotifier, logger: Logger): UsageConsumer {
    return new UsageConsumer(config, notifier, logger);
  }

  /** Finishes the transactions under way, then lets go of everything. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.work;
    await this.notices.settled();
    await this.inAdvance.settled();
    await this.link.close();
    await this.pool.end();
    this.logger.info(this.counts, 'consumer stopped');
  }

  private async keepReading(partition: number): Promise<void> {
    let wait = FIRST_PAUSE_MS;
    const consumer = new PartitionConsumer(partition, {
      databaseUrl: this.config.databaseUrl,
      link: this.link,
      logger: this.logger,
      usagePartitions: this.config.usagePartitions,
      usageReplicas: this.config.usageReplicas,
      onStored: (stored) => {
        wait = FIRST_PAUSE_MS;
        this.counts.messages += stored.messages;
        this.counts.events += stored.events;
        this.counts.inserted += stored.inserted;
        this.counts.rejected += stored.rejected;
        if (stored.rejected > 0) this.logger.error({ partition, rejected: stored.rejected }, 'rejected usage');
        this.notices.announce(stored.late);
        this.inAdvance.announce(stored.toBillInAdvance);
      },
    });
    while (!this.stopping.signal.aborted) {
      if (this.owned.size >= this.share) {
        await pause(MEMBERSHIP_EVERY_MS, this.stopping.signal);
        continue;
      }
      const giveBack = new AbortController();
      try {
        // Counted before it is had, so that two partitions do not both take the last place.
        this.owned.set(partition, giveBack);
        await consumer.session(AbortSignal.any([this.stopping.signal, giveBack.signal]), () =>
          this.logger.info({ partition }, 'reading partition'),
        );
        wait = FIRST_PAUSE_MS;
        await this.released(partition);
      } catch (error) {
        this.owned.delete(partition);
        this.logger.warn({ err: error, partition, againInMs: wait }, 'reading a partition broke off');
        await pause(wait, this.stopping.signal);
        wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Somebody else has the partition, or it was given back: leave it a while. */
  private async released(partition: number): Promise<void> {
    this.owned.delete(partition);
    await pause(MEMBERSHIP_EVERY_MS / 2, this.stopping.signal);
  }

  /** Holds this process's membership, and gives partitions back when others have come. */
  private async keepMembership(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const client = new pg.Client({ connectionString: this.config.databaseUrl, application_name: 'billow consumer' });
      let lost = false;
      client.on('error', () => (lost = true));
      try {
        await client.connect();
        await client.query('select pg_advisory_lock_shared(hashtextextended($1, 0))', [MEMBERSHIP_KEY]);
        while (!signal.aborted && !lost) {
          await this.balance(client);
          await pause(MEMBERSHIP_EVERY_MS, signal);
        }
      } catch (error) {
        this.logger.warn({ err: error }, 'Postgres does not answer; trying on');
        await pause(MEMBERSHIP_EVERY_MS, signal);
      } finally {
        await client.end().catch((error: unknown) => this.logger.debug({ err: error }, 'connection was gone'));
      }
    }
  }

  private async balance(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ members: number }>(
      `select count(distinct pid)::int as members from pg_locks
       where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())
         and objsubid = 1 and (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)`,
      [MEMBERSHIP_KEY],
    );
    this.share = Math.ceil(this.config.usagePartitions / Math.max(1, rows[0]?.members ?? 1));
    const surplus = [...this.owned.keys()].sort((a, b) => a - b).slice(this.share);
    for (const partition of surplus) this.owned.get(partition)?.abort();
  }

  private async keepSweeping(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await pause(SWEEP_EVERY_MS, signal);
      if (signal.aborted) return;
      await this.sweep('late usage is announced later', () => this.notices.sweep());
      await this.sweep('usage to bill in advance is announced later', () => this.inAdvance.sweep());
    }
  }

  private async sweep(failure: string, round: () => Promise<void>): Promise<void> {
    await round().catch((error: unknown) => this.logger.warn({ err: error }, failure));
  }

  private async keepReporting(): Promise<void> {
    const { signal } = this.stopping;
    let before = 0;
    while (!signal.aborted) {
      await pause(REPORT_EVERY_MS, signal);
      if (this.counts.messages !== before) this.logger.info(this.counts, 'stored usage');
      before = this.counts.messages;
    }
  }
}
