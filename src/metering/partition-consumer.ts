import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  type JetStreamManager,
  ReplayPolicy,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import type { Logger } from '../platform/logging/logger.js';
import type { NatsLink } from '../platform/nats/nats-link.js';
import { type PulledMessage, PullRequests } from '../platform/nats/pull-requests.js';
import { ensureUsageStreams, METERING_CONSUMER, usageStream } from '../platform/nats/usage-streams.js';
import { EVENTS_PER_TRANSACTION, EventStore, type LoggedMessage, type Stored } from './event-store.js';
import { consumerLockKey } from './locks.js';
import { decodeMessage } from './usage-message.js';
import { readWatermarks } from './watermarks.js';

export interface PartitionConsumerOptions {
  readonly databaseUrl: string;
  readonly link: NatsLink;
  readonly logger: Logger;
  readonly usagePartitions: number;
  readonly usageReplicas: number;
  readonly onStored: (stored: Stored & { readonly messages: number; readonly events: number }) => void;
}

const SECOND_NS = 1_000_000_000;
/**
 * Small transactions follow each other at this distance: a trickle of single events is gathered a little, as each commit
 * costs a sync of the disk that the log syncs too. The first event after a quiet moment is stored at once.
 */
const SMALL_BATCH = 500;
const SMALL_BATCH_EVERY_MS = 20;
const LOG_KEPT_MS = 7 * 86_400_000;
const TRIM_EVERY_MS = 3_600_000;

/**
 * Moves one partition's log into Postgres, from the watermark on.
 *
 * The cursor is the watermark, which moves in the transaction that stores the events; the durable consumer on the server
 * is set back to it whenever a session starts, and acknowledged only after a commit. So a crash anywhere, a lost reply, a
 * restarted server or a Postgres restored from a backup all end the same way: reading goes on behind the last stored message.
 *
 *     session: own the partition (advisory lock) → position the durable behind the watermark
 *              → gather what is there → store → commit → acknowledge → gather …
 *     any error ends the session; the owner starts the next one after a pause
 */
export class PartitionConsumer {
  constructor(
    private readonly partition: number,
    private readonly options: PartitionConsumerOptions,
  ) {}

  /**
   * One session: returns when the signal is raised or when another process owns the partition, throws on any error.
   * `owned` is called once it is known that the partition is this process's.
   */
  async session(signal: AbortSignal, owned: () => void): Promise<void> {
    const { databaseUrl, link } = this.options;
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: `billow consumer ${this.partition}`,
    });
    const broken = new AbortController();
    client.on('error', (error) => broken.abort(error));
    try {
      await client.connect();
      if (!(await this.own(client))) return;
      owned();
      const connection = await link.whenConnected(AbortSignal.any([signal, broken.signal]));
      const ended = AbortSignal.any([signal, broken.signal]);
      await this.consume(client, connection, ended);
      if (broken.signal.aborted) throw broken.signal.reason;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      // Also lets go of the partition.
      await client.end().catch((error: unknown) => this.options.logger.debug({ err: error }, 'connection was gone'));
    }
  }

  private async own(client: pg.Client): Promise<boolean> {
    const { rows } = await client.query<{ owned: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as owned',
      [consumerLockKey(this.partition)],
    );
    return rows[0]?.owned ?? false;
  }

  private async consume(client: pg.Client, connection: NatsConnection, signal: AbortSignal): Promise<void> {
    const { link, logger } = this.options;
    // The statement's plan does not depend on what is in a batch, and making it takes longer than storing a small one.
    await client.query('set plan_cache_mode = force_generic_plan');
    const store = new EventStore(client, this.partition);
    const watermark = await store.watermark();
    const jsm = await jetstreamManager(connection);
    await ensureUsageStreams(jsm, this.options, await readWatermarks(client));
    await this.position(jsm, watermark);
    const inbox = new Inbox(connection, usageStream(this.partition), watermark, (missing) =>
      logger.error(
        { partition: this.partition, ...missing },
        'messages are missing from the log: somebody removed them',
      ),
    );
    // What was on its way when the connection broke would come again only after a while, behind what follows it.
    const unfollow = link.onChange(() => inbox.fail(new Error('The connection to NATS changed; reading starts again')));
    const stop = () => inbox.close();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await this.storeAll(store, inbox, jsm, watermark, signal);
    } finally {
      unfollow();
      signal.removeEventListener('abort', stop);
      inbox.close();
    }
  }

  private async storeAll(
    store: EventStore,
    inbox: Inbox,
    jsm: JetStreamManager,
    start: number,
    signal: AbortSignal,
  ): Promise<void> {
    let watermark = start;
    let trimmedAt = 0;
    for (;;) {
      const batch = await inbox.take();
      if (batch === null) return;
      const began = performance.now();
      const stored = await store.store(batch.messages, watermark);
      watermark = batch.messages.at(-1)!.streamSequence;
      // Cumulative: it covers everything before. If it gets lost, the next one says the same.
      batch.last.ack();
      this.options.onStored({ ...stored, messages: batch.messages.length, events: batch.events });
      if (Date.now() - trimmedAt > TRIM_EVERY_MS) {
        trimmedAt = Date.now();
        await this.trim(jsm, watermark);
      }
      if (batch.events < SMALL_BATCH) await pause(SMALL_BATCH_EVERY_MS - (performance.now() - began), signal);
    }
  }

  /** Sets the durable consumer to the message behind the watermark, whatever it was told before. */
  private async position(jsm: JetStreamManager, watermark: number): Promise<void> {
    const stream = usageStream(this.partition);
    const { state } = await jsm.streams.info(stream);
    if (state.last_seq < watermark) {
      throw new Error(
        `The log ${stream} ends at ${state.last_seq}, but Postgres has stored it up to ${watermark}: it is not the log this ` +
          'database was filled from. Restore it, or delete the stream; it is then made anew behind what is stored.',
      );
    }
    try {
      await jsm.consumers.delete(stream, METERING_CONSUMER);
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound)) throw error;
    }
    await jsm.consumers.add(stream, {
      durable_name: METERING_CONSUMER,
      ack_policy: AckPolicy.All,
      // Only for what was lost on the way; what is merely slow to be stored is recognised when it comes again.
      ack_wait: 10 * SECOND_NS,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: watermark + 1,
      replay_policy: ReplayPolicy.Instant,
      max_deliver: -1,
      max_ack_pending: 100_000,
    });
  }

  /** Shortens the log to a week, and never beyond what Postgres holds. */
  private async trim(jsm: JetStreamManager, watermark: number): Promise<void> {
    const stream = usageStream(this.partition);
    const { state } = await jsm.streams.info(stream);
    const oldest = Date.now() - LOG_KEPT_MS;
    if (state.messages === 0 || Date.parse(state.first_ts as unknown as string) >= oldest) return;
    // The first message that is young enough: by halving, as times grow with sequences.
    let low = state.first_seq;
    let high = watermark;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const message = await jsm.streams.getMessage(stream, { seq: middle });
      if (message !== null && message.time.getTime() >= oldest) high = middle;
      else low = middle + 1;
    }
    await jsm.streams.purge(stream, { seq: low });
    this.options.logger.info({ partition: this.partition, before: low }, 'shortened the log');
  }
}

interface Batch {
  readonly messages: readonly LoggedMessage[];
  readonly events: number;
  readonly last: PulledMessage;
}

/**
 * Reads ahead while Postgres works: messages are decoded as they come, and whoever takes gets all there is, up to a
 * transaction's worth. Nothing more is asked for while two transactions' worth waits, so memory stays bounded.
 */
class Inbox {
  private waiting: { logged: LoggedMessage; message: PulledMessage }[] = [];
  private events = 0;
  private first = true;
  private ended = false;
  private failure: Error | null = null;
  private wakeTaker: (() => void) | null = null;
  private readonly pulls: PullRequests;

  constructor(
    connection: NatsConnection,
    stream: string,
    private last: number,
    private readonly onMissing: (range: { after: number; before: number }) => void,
  ) {
    this.pulls = new PullRequests(connection, stream, METERING_CONSUMER, {
      received: (message) => this.put(message),
      hasRoom: () => this.events < 2 * EVENTS_PER_TRANSACTION,
      failed: (error) => this.fail(error),
    });
  }

  /** The next messages in order, null when the inbox was closed. Throws what ended the reading before its time. */
  async take(): Promise<Batch | null> {
    while (this.waiting.length === 0 || this.ended) {
      if (this.failure !== null) throw this.failure;
      if (this.ended) return null;
      await new Promise<void>((resolve) => (this.wakeTaker = resolve));
    }
    let count = 0;
    let events = 0;
    while (count < this.waiting.length && (count === 0 || events < EVENTS_PER_TRANSACTION)) {
      events += this.waiting[count]!.logged.events.length;
      count += 1;
    }
    const taken = this.waiting.splice(0, count);
    this.events -= events;
    this.pulls.resume();
    return { messages: taken.map(({ logged }) => logged), events, last: taken.at(-1)!.message };
  }

  /** What waits is dropped: the next session reads it again behind the watermark. */
  close(): void {
    this.ended = true;
    this.pulls.stop();
    this.wakeTaker?.();
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.close();
  }

  private put(message: PulledMessage): void {
    const sequence = message.streamSequence;
    // Comes again because its acknowledgement was late; it is stored or waits here already.
    if (sequence <= this.last) return;
    if (sequence !== this.last + 1) {
      // Behind a freshly positioned start a gap is in the log itself; later it is a message that got lost on the way.
      if (!this.first) {
        this.fail(new Error(`Message ${sequence} came after ${this.last}`));
        return;
      }
      this.onMissing({ after: this.last, before: sequence });
    }
    this.first = false;
    this.last = sequence;
    const logged = decoded(message);
    this.waiting.push({ logged, message });
    this.events += logged.events.length;
    this.wakeTaker?.();
  }
}

function decoded(message: PulledMessage): LoggedMessage {
  const { streamSequence, data } = message;
  try {
    return { streamSequence, events: decodeMessage(Buffer.from(data).toString()), rejected: null };
  } catch (error) {
    // Nothing else in this line can fail: whatever it is, the message will not get better.
    return {
      streamSequence,
      events: [],
      rejected: { reason: error instanceof Error ? error.message : String(error), payload: data },
    };
  }
}

/** A pause that ends early when the signal is raised. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0) return;
  await sleep(milliseconds, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
