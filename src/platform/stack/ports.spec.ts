import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { anyPort, freePort } from './ports.js';

test('a port in use is passed over, and so is one given out a moment ago', async () => {
  const usual = await anyPort();
  const server = createServer().listen(usual, '127.0.0.1');
  await once(server, 'listening');
  const taken = new Set<number>();
  const [first, second] = await Promise.all([freePort(usual, taken), freePort(usual, taken)]);
  expect(first).toBeGreaterThan(usual);
  expect(second).toBeGreaterThan(usual);
  expect(second).not.toBe(first);
  server.close();
});
