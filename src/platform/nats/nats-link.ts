import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../logging/logger.js';

const RETRY_MS = 250;

/**
 * The way to NATS, open whether the server is there or not: it connects in the background, reconnects for ever, and says
 * whether it is connected. A process can so start before its server and outlive a restart of it.
 */
export class NatsLink {
  private connection: NatsConnection | null = null;
  private up = false;
  private readonly closing = new AbortController();
  private readonly waiting = new Set<() => void>();
  private readonly listeners = new Set<(event: 'connected' | 'disconnected') => void>();
  private readonly done: Promise<void>;

  private constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly logger: Logger,
  ) {
    this.done = this.keep();
  }

  static open(url: string, name: string, logger: Logger): NatsLink {
    return new NatsLink(url, name, logger);
  }

  get connected(): boolean {
    return this.up;
  }

  /** The connection while it is up. */
  get current(): NatsConnection | null {
    return this.up ? this.connection : null;
  }

  /** The connection once it is up. Rejects with the signal's reason, or when the link is closed. */
  async whenConnected(signal?: AbortSignal): Promise<NatsConnection> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.closing.signal.aborted) throw new Error('The link to NATS is closed');
      if (this.up && this.connection !== null) return this.connection;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.waiting.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        this.waiting.add(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /** Tells of every change of state; returns what ends the telling. */
  onChange(listener: (event: 'connected' | 'disconnected') => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.wakeAll();
    await this.connection?.close();
    await this.done;
  }

  private async keep(): Promise<void> {
    let complained = false;
    while (!this.closing.signal.aborted) {
      try {
        this.connection = await connect({
          servers: this.url,
          name: this.name,
          timeout: 2000,
          maxReconnectAttempts: -1,
          reconnectTimeWait: RETRY_MS,
          reconnectJitter: 50,
          pingInterval: 5000,
        });
        complained = false;
        this.changed(true);
        await this.follow(this.connection);
      } catch (error) {
        if (!complained) this.logger.warn({ err: error, url: this.url }, 'NATS does not answer; trying on');
        complained = true;
        await sleep(RETRY_MS, undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
    await this.connection?.close();
    this.changed(false);
  }

  /** Follows the connection's state until it is closed for good (which the server can do, by refusing the credentials). */
  private async follow(connection: NatsConnection): Promise<void> {
    const closed = connection.closed();
    const states = (async () => {
      for await (const { type } of connection.status()) {
        if (type === 'disconnect' || type === 'staleConnection') this.changed(false);
        if (type === 'reconnect') this.changed(true);
      }
    })();
    if (this.closing.signal.aborted) await connection.close();
    const error = await closed;
    await states;
    this.changed(false);
    if (error) throw error;
  }

  private changed(up: boolean): void {
    if (this.up === up) return;
    this.up = up;
    if (!this.closing.signal.aborted) this.logger.info(up ? 'connected to NATS' : 'lost NATS; reconnecting');
    for (const listener of this.listeners) listener(up ? 'connected' : 'disconnected');
    if (up) this.wakeAll();
  }

  private wakeAll(): void {
    for (const wake of [...this.waiting]) wake();
  }
}
