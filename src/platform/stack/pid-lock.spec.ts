import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { acquireLock } from './pid-lock.js';
import { identify } from './process-identity.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'billow-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('held by a living process: says by whom; free again after the release', () => {
  const first = acquireLock(path);
  expect(acquireLock(path)).toEqual({ heldBy: process.pid });
  if ('release' in first) first.release();
  expect(existsSync(path)).toBe(false);
  expect(acquireLock(path)).toHaveProperty('release');
});

test.each([
  ['of a process that is gone', () => JSON.stringify({ pid: 4_194_000, startedAt: 'x/1' })],
  ['whose pid belongs to another process now', () => JSON.stringify({ pid: process.pid, startedAt: 'x/1' })],
  ['that was cut off in the middle', () => '{"pid":12'],
])('a lock %s is taken over, and nothing lies about', (_, content) => {
  writeFileSync(path, content());
  expect(acquireLock(path)).toHaveProperty('release');
  expect(readdirSync(folder)).toEqual(['lock']);
});

test('a release after the lock was lost leaves the new owner alone', () => {
  const lock = acquireLock(path);
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  writeFileSync(path, JSON.stringify(identify(other.pid as number)));
  if ('release' in lock) lock.release();
  expect(acquireLock(path)).toEqual({ heldBy: other.pid });
  other.kill('SIGKILL');
});
