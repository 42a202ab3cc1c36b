import type { DataDir } from './data-dir.js';
import type { Endpoints } from './endpoints.js';
import { freePort } from './ports.js';
import type { ToolContext } from './programs.js';
import type { Supervised } from './supervisor.js';

export type ServerName = 'postgres' | 'nats' | 'temporal';

export interface ServerContext extends ToolContext {
  data: DataDir;
  /** Ports this stack has given out already. */
  taken: Set<number>;
}

/** A server of our own, ready to be started, and where it will answer. */
export interface Server extends Supervised {
  readonly name: ServerName;
  readonly endpoints: Partial<Endpoints>;
}

/** The port of the last run if it is free, so that addresses people noted stay good; else the usual one or the next free. */
export async function rememberedPort(name: string, usual: number, { data, taken }: ServerContext): Promise<number> {
  const port = await freePort(data.portOf(name) ?? usual, taken);
  if (port !== data.portOf(name)) data.rememberPort(name, port);
  return port;
}

/** Asks until the answer comes; each question has the whole error of the last one behind it, should patience end. */
export async function untilAnswered(ask: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await ask();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
