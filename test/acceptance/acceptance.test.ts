import { readFileSync } from 'node:fs';
import { type Product, startProduct } from '../system/product.js';
import { type TestServers, testServers } from '../system/servers.js';
import { readScenarios, runScenarios, type ScenarioResult } from './runner.js';

/** Ids of the scenarios that the product has to pass. The others are run too: one that has come to pass belongs on the list. */
const supported = JSON.parse(readFileSync('test/acceptance/supported.json', 'utf8')) as string[];
/** Written for what the others leave open: clock changes, month ends, bounds to the millisecond; amounts computed by hand. */
const own = readScenarios(['test/acceptance/own']);

describe('acceptance scenarios', () => {
  let servers: TestServers;
  let product: Product;
  let results: Map<string, ScenarioResult>;

  beforeAll(async () => {
    servers = await testServers();
    product = await startProduct(servers);
    const ran = await runScenarios([...readScenarios(['test/acceptance/scenarios']), ...own], {
      url: product.url,
      adminToken: product.adminToken,
      jobs: 4,
    });
    results = new Map(ran.map((result) => [result.id, result]));
  }, 600_000);

  afterAll(async () => {
    await product?.stop();
    await servers?.stop();
  });

  test.each([...supported, ...own.map(({ id }) => id)])('%s', (id) => {
    expect(results.get(id)).toMatchObject({ ok: true });
  });

  test('every scenario that passes is listed in supported.json', () => {
    const passing = [...results.values()].filter(({ ok }) => ok).map(({ id }) => id);
    expect(passing.filter((id) => !supported.includes(id) && !own.some((each) => each.id === id))).toEqual([]);
  });
});
