import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Brings up one Postgres, NATS and Temporal for all system tests of this run, and a migrated database that each test file
 * clones. A server named in BILLOW_TEST_DATABASE_URL, BILLOW_TEST_NATS_URL or BILLOW_TEST_TEMPORAL_ADDRESS is used as it
 * is; the names are not those of production, so that a shell set up for real work never lends its database to a test.
 *
 * Plain JavaScript on the compiled sources: Jest does not compile what a global set-up imports.
 */
export default async function setUp() {
  const { startServers } = await import('../../dist/src/platform/stack/stack.js').catch((error) => {
    throw new Error('The system tests run on the compiled sources: use `npm test`, which builds first.', {
      cause: error,
    });
  });
  const dataDir = mkdtempSync(join(tmpdir(), 'billow-test-'));
  // Postgres runs as a user of its own when we are root, and has to get through.
  chmodSync(dataDir, 0o755);
  const env = {
    ...process.env,
    DATABASE_URL: process.env.BILLOW_TEST_DATABASE_URL,
    NATS_URL: process.env.BILLOW_TEST_NATS_URL,
    TEMPORAL_ADDRESS: process.env.BILLOW_TEST_TEMPORAL_ADDRESS,
    TEMPORAL_NAMESPACE: 'billow-test',
  };
  const servers = await startServers({
    dataDir: join(dataDir, 'stack'),
    env,
    report: (line) => process.stderr.write(`${line}\n`),
  });
  globalThis.billowTestServers = {
    async stop() {
      await servers.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  const { postgres, nats, temporal } = servers.endpoints;
  process.env.BILLOW_TEST_DATABASE_URL = postgres;
  process.env.BILLOW_TEST_NATS_URL = nats;
  process.env.BILLOW_TEST_TEMPORAL_ADDRESS = temporal;
  process.env.BILLOW_TEST_TEMPLATE = await migratedTemplate(postgres);
}

/** Named after this run, so that two runs on one given server do not meet. */
async function migratedTemplate(postgres) {
  const { Database } = await import('../../dist/src/platform/database/database.js');
  const { entities } = await import('../../dist/src/entities.js');
  const { default: pg } = await import('pg');
  const name = `billow_template_${process.pid}`;
  const client = new pg.Client({ connectionString: postgres });
  await client.connect();
  try {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(postgres);
  url.pathname = `/${name}`;
  const database = await Database.connect(url.href, entities);
  try {
    await database.migrate();
  } finally {
    await database.close();
  }
  return name;
}
