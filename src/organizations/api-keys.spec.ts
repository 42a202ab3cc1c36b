import type { Database } from '../platform/database/database.js';
import { ApiKeys, bearerToken } from './api-keys.js';

const organization = { organization_id: '0d9e0b5a-5a0e-4a34-b0e6-3d9f1f6c2f10', has_test_clocks: false };

/** A database that answers with the next of these, and counts how often it was asked. */
function databaseAnswering(...answers: (object[] | Error)[]) {
  const asked = { times: 0 };
  const database = {
    system: () => {
      const answer = answers[Math.min(asked.times, answers.length - 1)]!;
      asked.times += 1;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  } as unknown as Database;
  return { database, asked };
}

const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });

describe('ApiKeys', () => {
  it('asks once for many requests of one key, also when they come together', async () => {
    const { database, asked } = databaseAnswering([organization]);
    const keys = new ApiKeys(database);
    await Promise.all([keys.authenticate('Bearer a'), keys.authenticate('Bearer a')]);
    await keys.authenticate('bearer a');
    expect(asked.times).toBe(1);
  });

  it('asks again when the time to live is over', async () => {
    let now = 0;
    const { database, asked } = databaseAnswering([organization], []);
    const keys = new ApiKeys(database, { ttlMilliseconds: 5000, now: () => now });
    await keys.authenticate('Bearer a');
    now = 4999;
    await keys.authenticate('Bearer a');
    expect(asked.times).toBe(1);
    now = 5000;
    await expect(keys.authenticate('Bearer a')).rejects.toMatchObject({ body: { status: 401 } });
  });

  it('remembers that a key is wrong', async () => {
    const { database, asked } = databaseAnswering([]);
    const keys = new ApiKeys(database);
    await expect(keys.authenticate('Bearer a')).rejects.toMatchObject({ body: { status: 401 } });
    await expect(keys.authenticate('Bearer a')).rejects.toMatchObject({ body: { status: 401 } });
    expect(asked.times).toBe(1);
  });

  it.each([undefined, '', 'Basic abc', 'Bearer', 'Bearer ', 'Bearer a b'])(
    'refuses the header %p unasked',
    async (header) => {
      const { database, asked } = databaseAnswering([organization]);
      await expect(new ApiKeys(database).authenticate(header)).rejects.toMatchObject({ body: { status: 401 } });
      expect(asked.times).toBe(0);
    },
  );

  it('goes on for a while with what it knew when Postgres is away, and not for ever', async () => {
    let now = 0;
    const { database } = databaseAnswering([organization], refused);
    const keys = new ApiKeys(database, { now: () => now });
    await keys.authenticate('Bearer a');
    for (now of [6_000, 20_000, 59_999]) await expect(keys.authenticate('Bearer a')).resolves.toBeDefined();
    now = 60_000;
    await expect(keys.authenticate('Bearer a')).rejects.toBe(refused);
    await expect(keys.authenticate('Bearer unknown')).rejects.toBe(refused);
  });

  it('reads the flags anew after it was told to', async () => {
    const { database } = databaseAnswering([organization], [{ ...organization, has_test_clocks: true }]);
    const keys = new ApiKeys(database);
    expect((await keys.authenticate('Bearer a')).hasTestClocks).toBe(false);
    await keys.forget(organization.organization_id);
    expect((await keys.authenticate('Bearer a')).hasTestClocks).toBe(true);
  });
});

describe('bearerToken', () => {
  it('takes the token whatever the case of the scheme', () => {
    expect(bearerToken('bearer blw_x')).toBe('blw_x');
    expect(bearerToken('Token blw_x')).toBeNull();
  });
});
