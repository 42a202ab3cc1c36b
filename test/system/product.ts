import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { billowProcesses } from '../../src/billow.processes.js';
import { startStack } from '../../src/platform/stack/stack.js';
import type { TestServers } from './servers.js';

export interface Product {
  readonly url: string;
  readonly adminToken: string;
  /** The process id of `api`, `consumer` or `worker` as of now: a killed one is started again under a new id. */
  pid(name: 'api' | 'consumer' | 'worker'): number;
  stop(): Promise<void>;
}

/** The compiled api, consumer and worker as processes of their own on a test file's servers. */
export async function startProduct(servers: TestServers, env: Record<string, string> = {}): Promise<Product> {
  const folder = mkdtempSync(join(tmpdir(), 'billow-test-product-'));
  chmodSync(folder, 0o755);
  const adminToken = 'admin-of-a-test';
  // Test files run side by side: each looks for a free port in a range of its own.
  const port = 3200 + 200 * Number(process.env.JEST_WORKER_ID ?? 0);
  const stack = await startStack({
    dataDir: join(folder, 'data'),
    env: { ...servers.env, LOG_LEVEL: 'warn', BILLOW_ADMIN_TOKEN: adminToken, ...env },
    processes: billowProcesses({ port }),
  });
  return {
    url: stack.endpoints.api!,
    adminToken,
    pid: (wanted) => stack.endpoints.processes.find(({ name }) => name === wanted)!.pid,
    async stop() {
      await stack.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
