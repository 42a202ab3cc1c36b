import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly url: string;
  readonly path: string;
  readonly apiKey: string;
  readonly connections: number;
  /** The body of one request, always of the same length. */
  readonly nextBody: () => Buffer;
  /** Asked before every request; false ends the load. */
  readonly goOn: () => boolean;
}

export interface LoadResult {
  readonly answered: number;
  readonly refused: number;
  /** Milliseconds, sorted. */
  readonly latencies: readonly number[];
}

/**
 * Sends one request after the other on each of some connections. Written on bare sockets, because the load runs on the
 * machine it measures: a client that parses every answer properly takes longer than the server.
 */
export async function httpLoad(options: LoadOptions): Promise<LoadResult> {
  const latencies: number[] = [];
  const counts = { answered: 0, refused: 0 };
  await Promise.all(Array.from({ length: options.connections }, () => oneConnection(options, counts, latencies)));
  latencies.sort((a, b) => a - b);
  return { ...counts, latencies };
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function oneConnection(
  { url, path, apiKey, nextBody, goOn }: LoadOptions,
  counts: { answered: number; refused: number },
  latencies: number[],
): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = await connected(hostname, Number(port));
  const head = Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${apiKey}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${nextBody().length}\r\n\r\n`,
  );
  await new Promise<void>((resolve, reject) => {
    let sentAt = 0;
    let answer: Buffer | null = null;
    const send = () => {
      if (!goOn()) {
        socket.end();
        resolve();
        return;
      }
      sentAt = performance.now();
      socket.write(Buffer.concat([head, nextBody()]));
    };
    socket.on('data', (chunk) => {
      answer = answer === null ? chunk : Buffer.concat([answer, chunk]);
      const end = endOf(answer);
      if (end === null || answer.length < end) return;
      const status = answer.toString('latin1', 9, 12);
      answer = null;
      latencies.push(performance.now() - sentAt);
      if (status === '200') counts.answered += 1;
      else if (status === '503') counts.refused += 1;
      else reject(new Error(`${path} answered ${status}`));
      send();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${url} closed the connection`)));
    send();
  });
}

/** Where the answer ends, null while its head is not complete. */
function endOf(answer: Buffer): number | null {
  const head = answer.indexOf('\r\n\r\n');
  if (head < 0) return null;
  const length = /content-length: (\d+)/i.exec(answer.toString('latin1', 0, head));
  if (length === null) throw new Error('An answer without a content-length cannot be measured');
  return head + 4 + Number(length[1]);
}

function connected(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
