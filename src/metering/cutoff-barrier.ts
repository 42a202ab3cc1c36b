import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { Database } from '../platform/database/database.js';
import { CoalescedRead } from '../platform/nats/coalesced-read.js';
import type { NatsLink } from '../platform/nats/nats-link.js';
import { lastIngestSequence, partitionOf, readLastSequence } from '../platform/nats/usage-streams.js';

export interface Cutoff {
  readonly partition: number;
  /** Everything acknowledged before the call has at most this ingest sequence, and is stored. */
  readonly cutoffSequence: number;
}

const POLL_MS = 10;
const LONGEST_POLL_MS = 100;

/**
 * The wait between "acknowledged" and "stored" (design, invariant 4): reads where the log ends, then waits until Postgres
 * has it up to there. A month's end brings thousands of these at once; they share their reads.
 */
export class CutoffBarrier {
  private readonly ends: readonly CoalescedRead<number>[];
  private readonly stored: CoalescedRead<Map<number, number>>;

  constructor(
    link: NatsLink,
    database: Database,
    private readonly usagePartitions: number,
  ) {
    this.ends = Array.from(
      { length: usagePartitions },
      (_, partition) =>
        new CoalescedRead(async () => {
          const jsm = await jetstreamManager(await link.whenConnected(AbortSignal.timeout(5000)), { checkAPI: false });
          return readLastSequence(jsm, partition);
        }),
    );
    this.stored = new CoalescedRead(async () => {
      const rows = await database.system((em) =>
        em.execute<{ partition: number; stream_sequence: string }[]>(
          'select partition, stream_sequence::text from partition_watermarks',
        ),
      );
      return new Map(rows.map((row) => [Number(row.partition), Number(row.stream_sequence)]));
    });
  }

  /**
   * The cutoff of a close that begins now. `onWait` is called at every look at the watermark (an activity's heartbeat).
   * Throws when the servers cannot be asked, or with the signal's reason; it never answers before everything is stored.
   */
  async cutoffFor(
    organizationId: string,
    externalSubscriptionId: string,
    signal?: AbortSignal,
    onWait?: () => void,
  ): Promise<Cutoff> {
    const partition = partitionOf(organizationId, externalSubscriptionId, this.usagePartitions);
    const end = await this.ends[partition]!.request();
    await this.untilStored(new Map([[partition, end]]), signal, onWait);
    return { partition, cutoffSequence: lastIngestSequence(end) };
  }

  /** Waits until everything acknowledged before the call is stored, in all partitions. */
  async settle(signal?: AbortSignal, onWait?: () => void): Promise<void> {
    const ends = await Promise.all(this.ends.map((end) => end.request()));
    await this.untilStored(new Map(ends.map((end, partition) => [partition, end])), signal, onWait);
  }

  private async untilStored(
    ends: ReadonlyMap<number, number>,
    signal: AbortSignal | undefined,
    onWait: (() => void) | undefined,
  ): Promise<void> {
    let poll = POLL_MS;
    for (;;) {
      signal?.throwIfAborted();
      const stored = await this.stored.request();
      if ([...ends].every(([partition, end]) => (stored.get(partition) ?? 0) >= end)) return;
      onWait?.();
      await sleep(poll, undefined, { signal });
      // Short while it is a matter of milliseconds, slower when there is a backlog.
      poll = Math.min(LONGEST_POLL_MS, poll * 1.2);
    }
  }
}
