import { eventJson } from './event.mapping.js';

it('an event is timed to the millisecond, and made in a second', () => {
  const row = {
    ...{
      id: '0190b5a0-0000-8000-8000-000000000000',
      transaction_id: 'tx',
      external_subscription_id: 'sub',
      code: 'calls',
    },
    ...{ properties: {}, precise_total_amount_cents: null, subscription_id: null, customer_id: null },
    at_ms: Date.parse('2024-01-05T00:00:00.590Z'),
    received_ms: Date.parse('2024-01-05T00:00:01.999Z'),
  };
  expect(eventJson(row)).toMatchObject({ timestamp: '2024-01-05T00:00:00.590Z', created_at: '2024-01-05T00:00:01Z' });
});
