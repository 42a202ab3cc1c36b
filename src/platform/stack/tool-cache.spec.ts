import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { cachedTool, type PinnedTool } from './tool-cache.js';

/** A stand-in for Go: says its version, and "builds" a file after a moment, noting that it did. */
const go = `#!/bin/sh
[ "$1" = env ] && { echo go1.26.8; exit 0; }
[ -n "$BREAK_BUILD" ] && { echo "write /x: no space left on device" >&2; exit 1; }
sleep 0.3
echo built >> "$BUILD_NOTES"
while [ "$1" != -o ]; do shift; done
echo program > "$2"
`;

const tool: PinnedTool = {
  name: 'nats-server',
  version: '2.15.2',
  title: 'NATS server',
  module: { folder: 'tools/nats', package: 'example.test/nats', takes: 'no time' },
  release: {
    archiveUrl: () => 'http://127.0.0.1:1/nats.tar.gz',
    sumsUrl: 'http://127.0.0.1:1/SHA256SUMS',
    program: () => 'nats-server',
  },
  alternative: 'Or put nats-server on PATH.',
};

let folder: string;
let env: NodeJS.ProcessEnv;
const report = () => {};
const builds = () => readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n').length;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'billow-tools-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'go'), go);
  chmodSync(join(folder, 'bin', 'go'), 0o755);
  env = {
    PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
    BILLOW_TOOLS_DIR: join(folder, 'cache'),
    BUILD_NOTES: join(folder, 'notes'),
  };
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('two starts at once build once, and later starts not at all', async () => {
  const start = () => cachedTool(tool, { env, report });
  const [program, same] = await Promise.all([start(), start()]);
  expect(same).toBe(program);
  expect(program).toBe(join(folder, 'cache', 'nats-server-2.15.2', 'nats-server'));
  await start();
  expect(builds()).toBe(1);
});

test('another pin builds anew', async () => {
  await cachedTool(tool, { env, report });
  const stamp = join(folder, 'cache', 'nats-server-2.15.2', 'stamp.json');
  const stamped = JSON.parse(readFileSync(stamp, 'utf8')) as object;
  expect(stamped).toMatchObject({ version: '2.15.2', obtained: 'built' });
  writeFileSync(stamp, JSON.stringify({ ...stamped, sum: 'of another go.sum' }));
  await cachedTool(tool, { env, report });
  expect(builds()).toBe(2);
});

test('without a way to obtain it, the message names each failure and what to do', async () => {
  const failed = cachedTool(tool, { env: { ...env, BREAK_BUILD: 'yes' }, report });
  await expect(failed).rejects.toThrow(
    /could not be obtained[\s\S]*disk is full[\s\S]*could not be downloaded[\s\S]*install Go[\s\S]*on PATH/,
  );
});

test('a cache that cannot be made says which folder and which variable', async () => {
  writeFileSync(join(folder, 'file'), '');
  const failed = cachedTool(tool, { env: { ...env, BILLOW_TOOLS_DIR: join(folder, 'file') }, report });
  await expect(failed).rejects.toThrow(/tool cache .* cannot be written[\s\S]*BILLOW_TOOLS_DIR/);
});
