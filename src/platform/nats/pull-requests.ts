import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';

export interface PulledMessage {
  readonly streamSequence: number;
  readonly data: Uint8Array;
  ack(): void;
}

const MESSAGES = 1000;
/** More than the largest message, or that one would never come. */
const BYTES = 4 << 20;
const EXPIRES_MS = 5000;
const SILENCE_MS = 3000;

/** Statuses that end a request and nothing more: it has expired, or the next message would exceed its bytes. */
const ENDS_REQUEST = /^(408|404)|Exceeds MaxBytes|Batch Completed/i;

/**
 * Pulls from a durable consumer, one request at a time and only while `hasRoom` says so: what is read ahead is bounded by the
 * reader. (The client library's `consume` asks for more whenever something arrives, read or not, and pauses for half a
 * minute when a message meets the end of its bytes.)
 *
 * `failed` is called once, with whatever ends the pulling: the consumer or its stream is gone, or the server is silent.
 */
export class PullRequests {
  private readonly subscription: Subscription;
  private readonly inbox: string;
  private readonly subject: string;
  private left = 0;
  private watchdog: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(
    private readonly connection: NatsConnection,
    stream: string,
    consumer: string,
    private readonly handlers: {
      readonly received: (message: PulledMessage) => void;
      readonly hasRoom: () => boolean;
      readonly failed: (error: Error) => void;
    },
  ) {
    this.inbox = createInbox();
    this.subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.subscription = connection.subscribe(this.inbox, {
      callback: (error, message) => (error ? this.fail(error) : this.take(message)),
    });
    this.resume();
  }

  /** To be called when there may be room again. */
  resume(): void {
    if (this.stopped || this.left > 0 || !this.handlers.hasRoom()) return;
    this.left = MESSAGES;
    const request = { batch: MESSAGES, max_bytes: BYTES, expires: EXPIRES_MS * 1_000_000 };
    this.connection.publish(this.subject, JSON.stringify(request), { reply: this.inbox });
    this.watch();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    if (this.watchdog !== null) clearTimeout(this.watchdog);
    this.subscription.unsubscribe();
  }

  private take(message: Msg): void {
    if (this.stopped) return;
    if (message.reply === undefined || message.reply === '') {
      this.takeStatus(message);
      return;
    }
    this.left -= 1;
    this.handlers.received({
      streamSequence: streamSequenceOf(message.reply),
      data: message.data,
      ack: () => message.respond(),
    });
    if (this.left === 0) this.ended();
  }

  private takeStatus(message: Msg): void {
    const code = message.headers?.code ?? 0;
    const status = `${code} ${message.headers?.description ?? ''}`;
    if (code >= 400 && !ENDS_REQUEST.test(status)) this.fail(new Error(`The log cannot be read: ${status}`));
    else if (code >= 400) this.ended();
  }

  private ended(): void {
    this.left = 0;
    if (this.watchdog !== null) clearTimeout(this.watchdog);
    this.resume();
  }

  /** Every request is answered by its end at the latest; a server that is silent beyond that has forgotten us. */
  private watch(): void {
    if (this.watchdog !== null) clearTimeout(this.watchdog);
    this.watchdog = setTimeout(
      () => this.fail(new Error('The server has not answered a pull request')),
      EXPIRES_MS + SILENCE_MS,
    );
  }

  private fail(error: Error): void {
    if (this.stopped) return;
    this.stop();
    this.handlers.failed(error);
  }
}

/** From `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>…`, or with a domain and an account before the stream. */
function streamSequenceOf(reply: string): number {
  const tokens = reply.split('.');
  return Number(tokens[tokens.length === 9 ? 5 : 7]);
}
