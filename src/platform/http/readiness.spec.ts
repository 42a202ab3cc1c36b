import { probeAll } from './readiness.js';

const up = { name: 'postgres', check: () => Promise.resolve() };

describe('probeAll', () => {
  it('says up, with how long it took', async () => {
    const { postgres } = await probeAll([up]);
    expect(postgres).toMatchObject({ status: 'up' });
    expect(postgres?.latency_ms).toBeGreaterThanOrEqual(0);
    expect(postgres).not.toHaveProperty('error');
  });

  it('says why not, without passwords', async () => {
    const refused = () => Promise.reject(new Error('cannot reach postgresql://user:secret@db:5432'));
    const { postgres } = await probeAll([{ name: 'postgres', check: refused }]);
    expect(postgres).toMatchObject({ status: 'down', error: 'cannot reach postgresql://db:5432' });
  });

  it('does not wait for what never answers, nor let it hide the others', async () => {
    const silent = { name: 'nats', check: () => new Promise<void>(() => undefined) };
    const results = await probeAll([silent, up], 20);
    expect(results['nats']).toMatchObject({ status: 'down', error: 'no answer within 20 ms' });
    expect(results['postgres']).toMatchObject({ status: 'up' });
  });
});
