import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startServers } from '../../src/platform/stack/stack.js';
import { ensureNamespace } from '../../src/platform/temporal/namespace.js';

/**
 * What one test file works on: a database, a NATS and a Temporal namespace that no other file sees. Postgres and Temporal are
 * those of the global set-up; NATS is a process of the file's own, because streams are named once per server.
 */
export interface TestServers {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  /** The environment for a process of ours on these servers. */
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

export async function testServers(): Promise<TestServers> {
  const [database, nats, temporal] = await Promise.all([testDatabase(), testNats(), testTemporal()]);
  return {
    databaseUrl: database.url,
    natsUrl: nats.url,
    temporalAddress: temporal.address,
    temporalNamespace: temporal.namespace,
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      NATS_URL: nats.url,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
    },
    async stop() {
      await Promise.all([database.drop(), nats.stop()]);
    },
  };
}

/** A fresh, migrated database: a clone of the template, in about 50 ms. */
export async function testDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = fromGlobalSetup('BILLOW_TEST_DATABASE_URL');
  const template = fromGlobalSetup('BILLOW_TEST_TEMPLATE');
  const name = `billow_test_${randomBytes(6).toString('hex')}`;
  await asOwner(server, (client) => client.query(`create database ${name} template ${template}`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => asOwner(server, (client) => client.query(`drop database if exists ${name} with (force)`)),
  };
}

/** A NATS process with JetStream and an empty store. It is started again at its port when it dies, as in `billow dev`. */
export async function testNats(): Promise<{ url: string; pid(): number; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'billow-test-nats-'));
  const { NATS_URL: _, ...env } = process.env;
  const servers = await startServers({ dataDir: join(folder, 'data'), servers: ['nats'], env });
  return {
    url: servers.endpoints.nats,
    pid: () => servers.endpoints.processes.find(({ name }) => name === 'nats')!.pid,
    async stop() {
      await servers.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A namespace of its own on the shared Temporal, with the search attributes of production. */
export async function testTemporal(): Promise<{ address: string; namespace: string }> {
  const address = fromGlobalSetup('BILLOW_TEST_TEMPORAL_ADDRESS');
  const namespace = `billow-test-${randomBytes(6).toString('hex')}`;
  await ensureNamespace(address, namespace, 1);
  return { address, namespace };
}

async function asOwner(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function fromGlobalSetup(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: this test belongs into the Jest project "system"`);
  return value;
}
