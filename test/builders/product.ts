import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { billowProcesses } from '../../src/billow.processes.js';
import { findUpwards } from '../../src/platform/stack/programs.js';
import { type ServerName, startServers } from '../../src/platform/stack/stack.js';
import { testDatabase, testNats, testTemporal } from '../system/servers.js';

export type ProcessName = 'api' | 'consumer' | 'worker' | ServerName;

/** The product on real servers, with everything a test needs to look behind it and to hurt it. */
export interface Product {
  readonly url: string;
  readonly adminToken: string;
  readonly env: NodeJS.ProcessEnv;
  readonly databaseUrl: string;
  readonly temporal: Client;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Whoever else wants these rows has to wait until they are let go. */
  holdRows(sql: string, values: unknown[]): Promise<{ letGo(): Promise<void> }>;
  /** Of a process that this product started itself; as of now, a killed one comes back under another id. */
  pid(name: ProcessName): number;
  /** kill -9; the supervisor starts it again. Resolves at once, to a wait for its return. */
  kill(name: ProcessName): { back(): Promise<void> };
  /** A command of the `billow` executable; resolves with what it printed. */
  billow(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface ProductOptions {
  /**
   * Servers of its own, because the test will kill them or count what is in them. The others are those of all tests, with a
   * database and a Temporal namespace of this product's own.
   */
  readonly own?: readonly ServerName[];
  /** For the processes, on top of the servers' addresses. */
  readonly env?: Record<string, string>;
  /** Puts something between the processes and a server, given the servers' own addresses. */
  readonly between?: (env: NodeJS.ProcessEnv) => Promise<Record<string, string>>;
}

export async function aProduct(options: ProductOptions = {}): Promise<Product> {
  const servers = await sharedServers(options.own ?? []);
  const folder = mkdtempSync(join(tmpdir(), 'billow-test-product-'));
  // Postgres runs as a user of its own when we are root, and has to get through.
  chmodSync(folder, 0o755);
  // Its own, so that a request that strays to another product on this machine is refused there.
  const adminToken = randomBytes(12).toString('hex');
  const env = { ...servers.env, LOG_LEVEL: 'warn', BILLOW_ADMIN_TOKEN: adminToken, ...options.env };
  const stack = await startServers({ dataDir: join(folder, 'data'), env });
  try {
    const between = (await options.between?.(stack.env)) ?? {};
    // Test runs go on side by side: two that look for a free port at the same moment start in different places.
    await stack.startProcesses(billowProcesses({ port: randomInt(20_000, 30_000), env: between }));
  } catch (error) {
    await stack.stop();
    throw error;
  }
  const databaseUrl = stack.endpoints.postgres;
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  // A killed Postgres takes idle connections with it; the next query gets a new one.
  pool.on('error', () => undefined);
  const connection = await Connection.connect({ address: stack.endpoints.temporal });
  const pid = (wanted: ProcessName) => {
    const found = stack.endpoints.processes.find(({ name }) => name === wanted);
    if (found === undefined) throw new Error(`${wanted} is not a process of this product`);
    return found.pid;
  };

  return {
    url: stack.endpoints.api as string,
    adminToken,
    env: stack.env,
    databaseUrl,
    temporal: new Client({ connection, namespace: stack.env.TEMPORAL_NAMESPACE ?? 'billow' }),
    query: async (sql, values) => (await pool.query(sql, values)).rows,
    async holdRows(sql, values) {
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      await client.query('begin');
      const { rowCount } = await client.query(sql, values);
      if (rowCount === 0) throw new Error('There is no such row to hold');
      return { letGo: () => client.end() };
    },
    pid,
    kill(name) {
      const killed = pid(name);
      process.kill(killed, 'SIGKILL');
      return {
        back: () => until(`${name} is back`, () => pid(name) !== killed, 60_000),
      };
    },
    async billow(...args) {
      const program = findUpwards('dist/src/billow.main.js') as string;
      const run = promisify(execFile)(process.execPath, [program, ...args], { env: stack.env });
      return (await run).stdout;
    },
    async stop() {
      await pool.end();
      await connection.close();
      await stack.stop();
      await servers.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What of the servers of all tests this product works on, each with a place of its own on it. */
async function sharedServers(own: readonly ServerName[]): Promise<{ env: NodeJS.ProcessEnv; stop(): Promise<void> }> {
  const { DATABASE_URL: _d, NATS_URL: _n, TEMPORAL_ADDRESS: _t, ...env } = process.env;
  const [database, nats, temporal] = await Promise.all([
    own.includes('postgres') ? null : testDatabase(),
    own.includes('nats') ? null : testNats(),
    own.includes('temporal') ? null : testTemporal(),
  ]);
  return {
    env: {
      ...env,
      ...(database && { DATABASE_URL: database.url }),
      ...(nats && { NATS_URL: nats.url }),
      ...(temporal && { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace }),
    },
    async stop() {
      await Promise.all([database?.drop(), nats?.stop()]);
    },
  };
}

/** Looks until it holds; a test that waits in vain says for what. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patienceMs = 30_000,
  everyMs = 50,
): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Waited ${patienceMs / 1000} s in vain until ${what}`);
    await sleep(everyMs);
  }
}
