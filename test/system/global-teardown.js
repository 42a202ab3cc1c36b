import pg from 'pg';

export default async function tearDown() {
  const client = new pg.Client({ connectionString: process.env.BILLOW_TEST_DATABASE_URL });
  await client.connect();
  try {
    // Matters on a server that was given: it lives on.
    await client.query(`drop database if exists ${process.env.BILLOW_TEST_TEMPLATE} with (force)`);
  } finally {
    await client.end();
    await globalThis.billowTestServers.stop();
  }
}
