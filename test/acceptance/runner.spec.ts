import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pick, runScenarios, type Scenario, ServerUnreachable } from './runner.js';

describe('pick', () => {
  const json = {
    invoices: [{ lago_id: 'a' }, { lago_id: 'b' }],
    fees: [
      { units: '1.0', item: { type: 'charge', code: 'x' } },
      { units: '2.0', item: { type: 'charge', code: 'y' } },
      { units: '3.0', item: { type: 'subscription', code: 'p' } },
    ],
    nothing: null,
  };
  test.each<[string, unknown]>([
    ['invoices.length', 2],
    ['invoices[1].lago_id', 'b'],
    ['fees[item.type=subscription].units', '3.0'],
    ['fees[item.type=charge&item.code=y].units', '2.0'],
    ['fees[item.type=charge].length', 2],
    ['fees[item.type=charge][1].units', '2.0'],
    ['fees[item.type=none].length', 0],
    ['fees[item.type=none].units', undefined],
    ['fees[item.type=charge]', '(2 elements match [item.type=charge])'],
    ['nothing.at.all', undefined],
    ['invoices[7].lago_id', undefined],
  ])('%s is %j', (path, expected) => {
    expect(pick(json, path)).toEqual(expected);
  });
});

describe('runScenarios', () => {
  /** What the server was asked, in order. */
  let asked: string[];
  let server: Server;
  let url: string;

  beforeEach(async () => {
    asked = [];
    let pollsUntilReady = 0;
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const at = `${request.method} ${request.url}`;
        if (at !== 'GET /') asked.push(text === '' ? at : `${at} ${text}`);
        if (at === 'POST /admin/organizations') return answer({ api_key: 'key' });
        if (at === 'POST /api/v1/test_clocks') return answer({ test_clock: { lago_id: 'clock', status: 'ready' } });
        if (at.endsWith('/advance')) {
          pollsUntilReady = 1;
          return answer({ test_clock: { status: 'advancing' } });
        }
        if (at === 'GET /api/v1/test_clocks/clock') {
          return answer({ test_clock: { status: pollsUntilReady-- > 0 ? 'advancing' : 'ready' } });
        }
        return answer({ customer: { lago_id: 'c-1', external_id: 'x', amount: '10.0' } });
      });
      const answer = (body: unknown) => void response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

  const run = (steps: Scenario['steps']) =>
    runScenarios([{ id: 's', topic: 't', features: [], steps }], {
      url,
      adminToken: 'admin',
      jobs: 1,
      settleSeconds: 0,
    });
  const create = {
    at: '2024-01-01T00:00:00Z',
    do: 'POST',
    path: '/api/v1/customers',
    body: { customer: { external_id: 'x' } },
    save: { id: 'customer.lago_id' },
  } as const;

  test('settles the clock between writing and reading, and only then', async () => {
    const [result] = await run([
      create,
      { do: 'GET', path: '/api/v1/customers/${id}', expect: { status: 200, json: { 'customer.amount': '10.0' } } },
      { do: 'GET', path: '/api/v1/customers/${id}', expect: { status: 200, json: { 'customer.missing': null } } },
    ]);
    expect(result).toMatchObject({ id: 's', ok: true });
    expect(asked.filter((line) => !line.includes('/admin/'))).toEqual([
      'POST /api/v1/test_clocks {"test_clock":{"name":"s","frozen_time":"2024-01-01T00:00:00Z"}}',
      'POST /api/v1/customers {"customer":{"external_id":"x","test_clock_id":"clock"}}',
      'POST /api/v1/test_clocks/clock/advance {"test_clock":{"frozen_time":"2024-01-01T00:00:00.000Z"}}',
      'GET /api/v1/test_clocks/clock',
      'GET /api/v1/test_clocks/clock',
      'GET /api/v1/customers/c-1',
      'GET /api/v1/customers/c-1',
    ]);
  });

  test.each<[string, Scenario['steps'][number], RegExp]>([
    [
      'another value',
      { do: 'GET', path: '/c', expect: { json: { 'customer.amount': 10 } } },
      /amount is "10.0", expected 10/,
    ],
    ['another status', { do: 'GET', path: '/c', expect: { status: 404 } }, /status 200, expected 404/],
    [
      'a value that is there instead of null',
      { do: 'GET', path: '/c', expect: { json: { 'customer.amount': null } } },
      /is "10.0"/,
    ],
    ['nothing to save', { do: 'GET', path: '/c', save: { id: 'plan.lago_id' } }, /nothing at plan.lago_id/],
    ['a variable nobody saved', { do: 'GET', path: '/c/${other}' }, /\$\{other\} was never saved/],
  ])('fails on %s', async (_, step, message) => {
    const [result] = await run([create, step]);
    expect(result).toMatchObject({ ok: false });
    expect(result!.failure).toMatch(message);
    expect(result!.failure).toMatch(/^step 2 GET/);
  });

  test('says that there is no server', async () => {
    await expect(runScenarios([], { url: 'http://127.0.0.1:9', adminToken: '', jobs: 1 })).rejects.toThrow(
      ServerUnreachable,
    );
  });
});
