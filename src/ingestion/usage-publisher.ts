import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { encodeMessage } from '../metering/index.js';
import { unavailable } from '../platform/http/errors.js';
import type { Logger } from '../platform/logging/logger.js';
import { AcknowledgedPublish, PublishRefused } from '../platform/nats/acknowledged-publish.js';
import type { NatsLink } from '../platform/nats/nats-link.js';
import { ensureUsageStreams, EVENTS_PER_MESSAGE, usageSubject } from '../platform/nats/usage-streams.js';

/** Events of one request that go to one partition, encoded. */
export interface Submission {
  readonly partition: number;
  readonly group: string;
  readonly bytes: number;
  readonly events: number;
}

export interface UsagePublisherOptions {
  readonly usagePartitions: number;
  readonly usageReplicas: number;
  readonly ingestMaxPendingEvents: number;
  /** How long an event may wait for its acknowledgement before its request is answered 503. */
  readonly deadlineMs?: number;
}

interface Waiting extends Submission {
  readonly request: Request;
}

interface Request {
  open: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

interface Lane {
  readonly subject: string;
  waiting: Waiting[];
  underway: number;
  scheduled: boolean;
}

/** Half of the server's default limit of a message. */
export const MESSAGE_BYTES = 512 * 1024;
const MESSAGE_EVENTS = EVENTS_PER_MESSAGE;
const PENDING_BYTES = 128 << 20;
/**
 * Messages of a partition that may be on their way at once. While one is, new events gather for the next: the slower the
 * server syncs its disk, the more events share one sync.
 */
const UNDERWAY = 1;
const ATTEMPT_MS = 2000;
const RETRY_MS = 50;

/**
 * Group commit. All events that arrive in one turn of the event loop go to their partition's stream as one message, and
 * every request waits for the acknowledgement of the messages that carry its events: acknowledged means on disk.
 *
 * What waits is bounded, in events and in bytes; beyond that, and when the server gives no acknowledgement in time, the
 * answer is 503 with Retry-After. Sending a message again uses the same message id, so the log holds it once; and should an
 * event be in the log although its request was told 503, the client's retry is the same event and counts once.
 */
export class UsagePublisher {
  private readonly lanes: readonly Lane[];
  private readonly instance = crypto.randomUUID();
  private readonly deadlineMs: number;
  private sent = 0;
  private pendingEvents = 0;
  private pendingBytes = 0;
  private closed = false;
  private idle: (() => void) | null = null;
  private client: AcknowledgedPublish | null = null;

  constructor(
    private readonly link: NatsLink,
    private readonly options: UsagePublisherOptions,
    private readonly logger: Logger,
  ) {
    this.deadlineMs = options.deadlineMs ?? 5000;
    this.lanes = Array.from({ length: options.usagePartitions }, (_, partition) => ({
      subject: usageSubject(partition),
      waiting: [],
      underway: 0,
      scheduled: false,
    }));
  }

  /** Resolves when all parts are on disk. Rejects with a 503 when that could not be had. */
  submit(parts: readonly Submission[]): Promise<void> {
    let events = 0;
    let bytes = 0;
    for (const part of parts) {
      events += part.events;
      bytes += part.bytes;
    }
    if (this.closed) return Promise.reject(unavailable('the server is shutting down'));
    const full =
      this.pendingEvents + events > this.options.ingestMaxPendingEvents || this.pendingBytes + bytes > PENDING_BYTES;
    if (full) return Promise.reject(unavailable('too many events are waiting to be stored'));
    this.pendingEvents += events;
    this.pendingBytes += bytes;
    return new Promise((resolve, reject) => {
      const request: Request = { open: parts.length, resolve, reject };
      for (const part of parts) {
        const lane = this.lanes[part.partition]!;
        lane.waiting.push({
          partition: part.partition,
          group: part.group,
          bytes: part.bytes,
          events: part.events,
          request,
        });
        this.schedule(lane);
      }
    });
  }

  /** Takes no more events and waits for those under way. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.pendingEvents > 0) await new Promise<void>((resolve) => (this.idle = resolve));
  }

  private schedule(lane: Lane): void {
    if (lane.scheduled || lane.underway >= UNDERWAY) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      while (lane.waiting.length > 0 && lane.underway < UNDERWAY) this.send(lane, takeMessage(lane));
    });
  }

  private send(lane: Lane, message: Waiting[]): void {
    lane.underway += 1;
    const settle = (failure: unknown) => {
      lane.underway -= 1;
      for (const { request, events, bytes } of message) {
        this.pendingEvents -= events;
        this.pendingBytes -= bytes;
        request.open -= 1;
        // A request fails with its first part; the others change nothing about that.
        if (failure !== null) request.reject(failure);
        else if (request.open === 0) request.resolve();
      }
      if (lane.waiting.length > 0) this.schedule(lane);
      if (this.pendingEvents === 0) this.idle?.();
    };
    this.publish(lane.subject, Buffer.from(encodeMessage(message.map(({ group }) => group)))).then(
      () => settle(null),
      (error: unknown) => {
        this.logger.warn({ err: error, subject: lane.subject, requests: message.length }, 'usage was not acknowledged');
        settle(unavailable('the event log does not acknowledge'));
      },
    );
  }

  private async publish(subject: string, payload: Uint8Array): Promise<void> {
    const messageId = `${this.instance}-${(this.sent += 1)}`;
    const deadline = Date.now() + this.deadlineMs;
    for (;;) {
      try {
        const client = await this.connected(deadline);
        await client.publish(subject, payload, messageId, Math.max(1, Math.min(ATTEMPT_MS, deadline - Date.now())));
        return;
      } catch (error) {
        // A refusal (a full store) is an answer; silence and lost connections are worth asking again.
        if (error instanceof PublishRefused || Date.now() + RETRY_MS >= deadline) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  private async connected(deadline: number): Promise<AcknowledgedPublish> {
    const connection =
      this.link.current ?? (await this.link.whenConnected(AbortSignal.timeout(Math.max(1, deadline - Date.now()))));
    if (this.client?.connection !== connection) this.client = new AcknowledgedPublish(connection);
    return this.client;
  }
}

/** As many waiting submissions as fit into one message, the oldest first; at least one. */
function takeMessage(lane: Lane): Waiting[] {
  let count = 0;
  let events = 0;
  let bytes = 0;
  for (const part of lane.waiting) {
    if (count > 0 && (events + part.events > MESSAGE_EVENTS || bytes + part.bytes > MESSAGE_BYTES)) break;
    events += part.events;
    bytes += part.bytes;
    count += 1;
  }
  if (count === lane.waiting.length) {
    const all = lane.waiting;
    lane.waiting = [];
    return all;
  }
  return lane.waiting.splice(0, count);
}

/**
 * Makes sure of the streams now and after every reconnect (the server may have come back empty), until the link closes.
 * `firstSequences` reads the watermarks that Postgres has.
 */
export async function keepUsageStreams(
  link: NatsLink,
  options: { readonly usagePartitions: number; readonly usageReplicas: number },
  firstSequences: () => Promise<Map<number, number>>,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const changed = new AbortController();
    const unfollow = link.onChange((event) => event === 'connected' && changed.abort());
    try {
      const connection = await link.whenConnected(signal);
      await ensureUsageStreams(await jetstreamManager(connection), options, await firstSequences());
      await aborted(AbortSignal.any([signal, changed.signal]));
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, 'the usage streams cannot be made sure of yet');
      await sleep(500, undefined, { signal }).catch(() => undefined);
    } finally {
      unfollow();
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
