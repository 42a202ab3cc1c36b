import { type BenchContext, type Figure, newOrganization } from './bench.js';

const goalSeconds = 15;

/**
 * One customer's year in one step of a test clock: twelve periods with usage, each closed into a draft, finalized after three
 * days of grace and collected from a card.
 */
export async function benchYear(context: BenchContext): Promise<Figure[]> {
  context.report('year: one subscription, twelve months on a test clock');
  const client = await newOrganization(context, 'A year');
  const { billable_metric: metric } = await client.post<{ billable_metric: { lago_id: string } }>(
    '/api/v1/billable_metrics',
    { billable_metric: { name: 'Tokens', code: 'tokens', aggregation_type: 'sum_agg', field_name: 'value' } },
  );
  const charge = { billable_metric_id: metric.lago_id, charge_model: 'standard', properties: { amount: '0.01' } };
  await client.post('/api/v1/plans', {
    plan: {
      name: 'Plan',
      code: 'plan',
      interval: 'monthly',
      amount_cents: 10_000,
      amount_currency: 'USD',
      charges: [charge],
    },
  });
  const { test_clock: clock } = await client.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'year', frozen_time: '2025-01-01T00:00:00Z' },
  });
  await client.post('/api/v1/customers', {
    customer: {
      external_id: 'c',
      currency: 'USD',
      test_clock_id: clock.lago_id,
      billing_configuration: {
        invoice_grace_period: 3,
        payment_provider: 'sandbox',
        provider_payment_method_id: 'pm_card_visa',
      },
    },
  });
  await client.post('/api/v1/subscriptions', {
    subscription: { external_id: 's', external_customer_id: 'c', plan_code: 'plan' },
  });
  const events = Array.from({ length: 12 }, (_, month) => ({
    transaction_id: `t-${month}`,
    external_subscription_id: 's',
    code: 'tokens',
    timestamp: (Date.UTC(2025, month, 20) / 1000).toFixed(3),
    properties: { value: 100 * (month + 1) },
  }));
  await client.post('/api/v1/events/batch', { events });

  const started = Date.now();
  await client.advance(clock.lago_id, Date.parse('2026-01-05T00:00:00Z'));
  const seconds = (Date.now() - started) / 1000;

  const invoices = await client.invoices();
  const paid = invoices.filter(({ payment_status: status }) => status === 'succeeded').length;
  if (paid !== 12) throw new Error(`A year has twelve paid invoices, and ${paid} of ${invoices.length} are`);
  return [
    {
      what: 'A simulated year of one subscription',
      value: `${seconds.toFixed(1)} s`,
      goal: `under ${goalSeconds} s`,
      met: seconds < goalSeconds,
    },
  ];
}
