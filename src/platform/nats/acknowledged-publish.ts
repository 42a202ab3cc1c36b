import { createInbox, headers, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';

/** The server's refusal to store a message: it was heard, and the answer is no. */
export class PublishRefused extends Error {}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Publishes to JetStream and waits for the acknowledgement, over one subscription for all of them. The client library's
 * `publish` makes two errors with their stack traces for every message, in case it needs them, and takes twice the time.
 */
export class AcknowledgedPublish {
  private readonly inbox = createInbox();
  private readonly subscription: Subscription;
  private readonly waiting = new Map<string, Waiting>();
  private count = 0;

  constructor(readonly connection: NatsConnection) {
    this.subscription = connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.acknowledge(message);
      },
    });
  }

  /** Resolves when the message is stored. With the same `messageId`, within two minutes, it is stored once. */
  publish(subject: string, payload: Uint8Array, messageId: string, timeoutMs: number): Promise<void> {
    const token = String((this.count += 1));
    const head = headers();
    head.set('Nats-Msg-Id', messageId);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(token);
        reject(new Error(`No acknowledgement from ${subject} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.waiting.set(token, { resolve, reject, timer });
      try {
        this.connection.publish(subject, payload, { reply: `${this.inbox}.${token}`, headers: head });
      } catch (error) {
        this.waiting.delete(token);
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  close(): void {
    this.subscription.unsubscribe();
  }

  private acknowledge(message: Msg): void {
    const token = message.subject.slice(this.inbox.length + 1);
    const waiting = this.waiting.get(token);
    if (waiting === undefined) return;
    this.waiting.delete(token);
    clearTimeout(waiting.timer);
    const failure = failureOf(message);
    if (failure === null) waiting.resolve();
    else waiting.reject(failure);
  }
}

function failureOf(message: Msg): Error | null {
  // Nobody listens on the subject: the stream is not there yet.
  if (message.headers?.code === 503) return new Error('No stream takes this subject');
  const answer = message.json<{ stream?: string; seq?: number; error?: { description?: string } }>();
  if (answer.error) return new PublishRefused(answer.error.description ?? 'The stream refuses the message');
  return typeof answer.seq === 'number' ? null : new Error('This is no acknowledgement');
}
