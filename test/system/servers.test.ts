import { connect } from '@nats-io/transport-node';
import { Connection } from '@temporalio/client';
import pg from 'pg';
import { type TestServers, testServers } from './servers.js';

/** The set-up that all other system tests stand on: a test file must not be able to see another one's data. */
describe('servers of a test file', () => {
  let first: TestServers;
  let second: TestServers;

  beforeAll(async () => {
    [first, second] = await Promise.all([testServers(), testServers()]);
  });
  afterAll(() => Promise.all([first.stop(), second.stop()]));

  test('each has a migrated database of its own', async () => {
    const one = new pg.Client({ connectionString: first.databaseUrl });
    const other = new pg.Client({ connectionString: second.databaseUrl });
    await Promise.all([one.connect(), other.connect()]);
    try {
      await one.query(`create table only_here (id int)`);
      const found = (client: pg.Client) =>
        client.query(`select to_regclass('organizations') is not null as migrated, to_regclass('only_here') as own`);
      expect((await found(one)).rows).toEqual([{ migrated: true, own: 'only_here' }]);
      expect((await found(other)).rows).toEqual([{ migrated: true, own: null }]);
    } finally {
      await Promise.all([one.end(), other.end()]);
    }
  });

  test('each has a NATS of its own', async () => {
    const [one, other] = await Promise.all([connect({ servers: first.natsUrl }), connect({ servers: second.natsUrl })]);
    expect(one.info!.server_id).not.toBe(other.info!.server_id);
    expect(one.info!.jetstream).toBe(true);
    await Promise.all([one.close(), other.close()]);
  });

  test('each has a Temporal namespace of its own, which knows the search attributes', async () => {
    expect(first.temporalNamespace).not.toBe(second.temporalNamespace);
    const connection = await Connection.connect({ address: first.temporalAddress });
    const count = await connection.workflowService.countWorkflowExecutions({
      namespace: first.temporalNamespace,
      query: `BillingState = "draft"`,
    });
    expect(Number(count.count)).toBe(0);
    await connection.close();
  });
});
