import { connect, createServer } from 'node:net';
import { StackError } from './stack-error.js';

/**
 * A port on loopback that nobody has: the preferred one, else the next free above it; any for 0. `taken` are ports this stack has
 * given out and whose servers may not listen yet.
 */
export async function freePort(preferred: number, taken: Set<number>): Promise<number> {
  if (preferred === 0) return anyPort();
  for (let port = preferred; port < Math.min(preferred + 200, 65_536); port++) {
    if (taken.has(port)) continue;
    taken.add(port); // before the first await: servers choose their ports side by side
    if (await canListen(port)) return port;
    taken.delete(port);
  }
  throw StackError.withAdvice(
    `No free port on 127.0.0.1 between ${preferred} and ${preferred + 199}.`,
    'End what listens there, or allow this user to open ports on the loopback interface.',
  );
}

/** Any free port, of the operating system's choice: for listeners nobody needs to find. */
export function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Resolves if something listens there. */
export function accepts(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
