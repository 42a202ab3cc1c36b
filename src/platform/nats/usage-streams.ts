import {
  DiscardPolicy,
  type JetStreamManager,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';

/** One message carries at most this many events; an event's place in the order is `stream sequence × this + index`. */
export const EVENTS_PER_MESSAGE = 16_384;

const SECOND_NS = 1_000_000_000;

export const usageStream = (partition: number): string => `USAGE_${partition}`;
export const usageSubject = (partition: number): string => `usage.${partition}`;
export const METERING_CONSUMER = 'metering';

/** All events of a subscription lie in one partition, so that they have one order. FNV-1a over UTF-16 code units. */
export function partitionOf(organizationId: string, externalSubscriptionId: string, partitions: number): number {
  let hash = fnv1a(0x811c9dc5, organizationId);
  hash = Math.imul(hash ^ 0, 0x01000193);
  hash = fnv1a(hash, externalSubscriptionId);
  // FNV's low bits are weak for short texts; fold the high half in before taking the remainder.
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}

function fnv1a(seed: number, text: string): number {
  let hash = seed;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

export const ingestSequence = (streamSequence: number, index: number): number =>
  streamSequence * EVENTS_PER_MESSAGE + index;

/** The last ingest sequence that the message with this stream sequence can hold. */
export const lastIngestSequence = (streamSequence: number): number =>
  streamSequence * EVENTS_PER_MESSAGE + EVENTS_PER_MESSAGE - 1;

/**
 * Creates the stream of every partition, or brings its settings up to date; safe to call from several processes at once.
 *
 * Nothing that was acknowledged is ever dropped by the server: no limit of age or count, and a full store refuses new
 * messages (`discard new`), which the api answers with 503. The log is shortened by the consumer alone, up to what
 * Postgres holds and a week beyond it, so that a Postgres restored from yesterday's backup can be filled from the log.
 *
 * `firstSequences` holds, per partition, the watermark that Postgres has. A stream created anew begins behind it: the
 * order of events goes on, and a close never takes an old watermark for a new message.
 */
export async function ensureUsageStreams(
  jsm: JetStreamManager,
  config: { readonly usagePartitions: number; readonly usageReplicas: number },
  firstSequences: ReadonlyMap<number, number> = new Map(),
): Promise<void> {
  for (let partition = 0; partition < config.usagePartitions; partition += 1) {
    await ensureStream(jsm, partition, config.usageReplicas, firstSequences.get(partition) ?? 0);
  }
}

async function ensureStream(jsm: JetStreamManager, partition: number, replicas: number, watermark: number) {
  const name = usageStream(partition);
  const settings = {
    subjects: [usageSubject(partition)],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: 0,
    max_bytes: -1,
    max_msgs: -1,
    duplicate_window: 120 * SECOND_NS,
    num_replicas: replicas,
    allow_direct: true,
  } satisfies Partial<StreamConfig>;
  const existing = await streamInfo(jsm, name);
  if (existing === null) {
    try {
      await jsm.streams.add({ name, ...settings, first_seq: watermark + 1 });
    } catch (error) {
      // Another process was faster; its stream is as good as ours.
      if ((await streamInfo(jsm, name)) === null) throw error;
    }
  } else if (existing.config.num_replicas !== replicas || existing.config.discard !== DiscardPolicy.New) {
    await jsm.streams.update(name, settings);
  }
}

async function streamInfo(jsm: JetStreamManager, name: string): Promise<StreamInfo | null> {
  try {
    return await jsm.streams.info(name);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null;
    throw error;
  }
}

/** The stream sequence of the newest message of a partition, 0 when it never had one. */
export async function readLastSequence(jsm: JetStreamManager, partition: number): Promise<number> {
  return (await jsm.streams.info(usageStream(partition))).state.last_seq;
}
