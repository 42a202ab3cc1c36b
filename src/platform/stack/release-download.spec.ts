import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { downloadRelease, type Release } from './release-download.js';

/** A publisher on this machine: one archive with a folder in it, as NATS packs its releases, and the list of sums. */
let folder: string;
let publisher: Server;
let release: Release;
let sums: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'billow-release-'));
  mkdirSync(join(folder, 'server-v1'));
  writeFileSync(join(folder, 'server-v1', 'server'), 'the program');
  execFileSync('tar', ['-czf', join(folder, 'server-v1.tar.gz'), '-C', folder, 'server-v1']);
  const archive = readFileSync(join(folder, 'server-v1.tar.gz'));
  sums = `${createHash('sha256').update(archive).digest('hex')}  server-v1.tar.gz\n`;
  publisher = createServer(({ url }, answer) => {
    if (url === '/SHA256SUMS') answer.end(`${'0'.repeat(64)}  another.tar.gz\n${sums}`);
    else if (url === '/server-v1.tar.gz') answer.end(archive);
    else answer.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(publisher, 'listening');
  const base = `http://127.0.0.1:${(publisher.address() as AddressInfo).port}`;
  release = {
    archiveUrl: () => `${base}/server-v1.tar.gz`,
    sumsUrl: `${base}/SHA256SUMS`,
    program: () => 'server-v1/server',
  };
});

afterEach(() => {
  publisher.close();
  rmSync(folder, { recursive: true, force: true });
});

const download = () => downloadRelease(release, join(folder, 'server'), 'Server', { env: {}, report: () => {} });

test('the program comes out of the archive, executable, and nothing else stays', async () => {
  await download();
  expect(readFileSync(join(folder, 'server'), 'utf8')).toBe('the program');
  expect(statSync(join(folder, 'server')).mode & 0o111).toBe(0o111);
});

test('an archive that the list of sums does not vouch for is not used', async () => {
  sums = `${'1'.repeat(64)}  server-v1.tar.gz\n`;
  await expect(download()).rejects.toThrow('does not have the checksum');
  expect(existsSync(join(folder, 'server'))).toBe(false);
});

test('a release that is not there is named with its address and status', async () => {
  release = { ...release, archiveUrl: () => release.sumsUrl.replace('SHA256SUMS', 'missing.tar.gz') };
  await expect(download()).rejects.toThrow(/missing\.tar\.gz could not be downloaded: status 404/);
});
