import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { natsTool } from './nats.server.js';
import { temporalTool } from './temporal.server.js';

/** One version of each server, wherever it is written down: in the build, in the download and in production's images. */
test.each([
  ['nats', natsTool, 'github.com/nats-io/nats-server/v2'],
  ['temporal', temporalTool, 'github.com/temporalio/cli'],
])('%s: the module, the cache and the download agree', (folder, tool, module) => {
  const goMod = readFileSync(`tools/${folder}/go.mod`, 'utf8');
  expect(goMod).toContain(`${module} v${tool.version}`);
  expect(tool.module.folder).toBe(`tools/${folder}`);
  expect(tool.release.archiveUrl('linux', 'amd64')).toContain(tool.version);
  expect(tool.release.sumsUrl).toContain(tool.version);
});

test('docker-compose.yml runs the versions that were tested', () => {
  const compose = readFileSync('docker-compose.yml', 'utf8');
  const goMod = readFileSync('tools/temporal/go.mod', 'utf8');
  const server = /go\.temporal\.io\/server v(\S+)/.exec(goMod)?.[1];
  const ui = /github\.com\/temporalio\/ui-server\/v2 v(\S+)/.exec(goMod)?.[1];
  expect(compose).toContain(`image: nats:${natsTool.version}-alpine`);
  expect(compose).toContain(`image: temporalio/server:${server}`);
  expect(compose).toContain(`image: temporalio/admin-tools:${server}`);
  expect(compose).toContain(`image: temporalio/ui:${ui}`);
});
