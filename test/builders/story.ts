import { setTimeout as sleep } from 'node:timers/promises';
import { Api, type CurrentUsageJson, type InvoiceJson } from './api.js';
import type { Happening } from './happenings.js';
import type { Product } from './product.js';
import {
  aCustomer,
  aMetric,
  anOrganization,
  aClockAt,
  aPlan,
  aSubscription,
  ClockBuilder,
  CustomerBuilder,
  MetricBuilder,
  OrganizationBuilder,
  PlanBuilder,
  SubscriptionBuilder,
  type Thing,
} from './things.js';

const START = '2024-01-01T00:00:00Z';

/**
 * An organization of its own with what is given, and with one of each that is not: a metric `tokens`, a plan `team`, a
 * customer `cust` with a subscription `sub`, on a test clock at the first of January 2024.
 *
 *     const story = await given(product, aPlan().costing(4900), aCustomer().inGraceFor(3));
 *     await story.when(usage(5).at('2024-01-20T10:00:00Z'), itIs('2024-02-01T00:00:00Z'));
 *     expect(await story.documents()).toEqual(['ACM-DRAFT draft: …']);
 */
export async function given(product: Product, ...things: readonly Thing[]): Promise<Story> {
  const organization = firstOf(things, OrganizationBuilder) ?? anOrganization();
  const clock = firstOf(things, ClockBuilder) ?? aClockAt(START);
  const metrics = orOne(allOf(things, MetricBuilder), aMetric());
  const plans = orOne(allOf(things, PlanBuilder), aPlan());
  const customers = orOne(allOf(things, CustomerBuilder), aCustomer());
  const subscriptions = orOne(allOf(things, SubscriptionBuilder), aSubscription());

  const admin = new Api(product.url, product.adminToken);
  const made = await admin.post<{ organization: { lago_id: string }; api_key: string }>('/admin/organizations', {
    organization: organization.fields,
  });
  const api = new Api(product.url, made.api_key);
  for (const tax of organization.taxes) await api.post('/api/v1/taxes', { tax });
  const clockId = clock.at === null ? null : await startClock(api, clock.at);
  const metricIds = new Map<string, string>();
  for (const { code, fields } of metrics) {
    const { billable_metric: metric } = await api.post<{ billable_metric: { lago_id: string } }>(
      '/api/v1/billable_metrics',
      { billable_metric: fields },
    );
    metricIds.set(code, metric.lago_id);
  }
  const addOnIds = new Map<string, string>();
  for (const code of new Set(plans.flatMap(({ fixedCharges }) => fixedCharges.map(({ addOn }) => addOn)))) {
    const addOn = { code, name: code, amount_cents: 100, amount_currency: 'EUR' };
    const answer = await api.post<{ add_on: { lago_id: string } }>('/api/v1/add_ons', { add_on: addOn });
    addOnIds.set(code, answer.add_on.lago_id);
  }
  for (const { fields, charges, fixedCharges } of plans) {
    const fixed_charges = fixedCharges.map((one) => ({ ...one.fields, add_on_id: addOnIds.get(one.addOn) }));
    const priced = charges.map((charge) => ({
      ...charge.fields,
      billable_metric_id: metricIds.get(charge.metric),
    }));
    await api.post('/api/v1/plans', { plan: { ...fields, charges: priced, fixed_charges } });
  }
  for (const { externalId, fields, billing } of customers) {
    const customer = { external_id: externalId, name: externalId, ...fields, billing_configuration: billing };
    await api.post('/api/v1/customers', {
      customer: { ...customer, ...(clockId === null ? {} : { test_clock_id: clockId }) },
    });
  }
  const story = new Story(product, api, made.organization.lago_id, clockId, {
    plan: plans[0]!.code,
    customer: customers[0]!.externalId,
    subscription: subscriptions[0]!.externalId,
  });
  for (const subscription of subscriptions) await story.subscribe(subscription);
  if (clockId !== null) await story.settle();
  return story;
}

export class Story {
  constructor(
    readonly product: Product,
    readonly api: Api,
    readonly organizationId: string,
    readonly clockId: string | null,
    private readonly names: { readonly plan: string; readonly customer: string; readonly subscription: string },
  ) {}

  get customerId(): string {
    return this.names.customer;
  }

  get subscriptionId(): string {
    return this.names.subscription;
  }

  async when(...happenings: readonly Happening[]): Promise<void> {
    for (const happening of happenings) await happening.happen(this);
  }

  /**
   * "Nothing happened" as a result: whatever happens here leaves no trace in what the organization owns, owes and awaits.
   */
  async nothingHappensWhen(...happenings: readonly Happening[]): Promise<void> {
    const before = await this.picture();
    await this.when(...happenings);
    await this.settle();
    expect(await this.picture()).toEqual(before);
  }

  async subscribe(subscription: SubscriptionBuilder): Promise<void> {
    await this.api.post('/api/v1/subscriptions', {
      subscription: {
        external_id: subscription.externalId,
        external_customer_id: subscription.customer ?? this.names.customer,
        plan_code: subscription.plan ?? this.names.plan,
        ...subscription.fields,
      },
    });
  }

  /** Moves the clock and waits until all that is due has happened. */
  async advanceTo(instant: string, patienceMs = 60_000): Promise<void> {
    await this.startAdvance(instant);
    await this.ready(patienceMs);
  }

  async startAdvance(instant: string): Promise<void> {
    await this.api.post(`${this.clockPath()}/advance`, { test_clock: { frozen_time: instant } });
  }

  async ready(patienceMs = 60_000): Promise<void> {
    const end = Date.now() + patienceMs;
    for (;;) {
      const { test_clock: clock } = await this.api.get<{ test_clock: { status: string } }>(this.clockPath());
      if (clock.status === 'ready') return;
      if (clock.status !== 'advancing') throw new Error(`The test clock stopped: ${JSON.stringify(clock)}`);
      if (Date.now() > end) throw new Error(`The test clock still advances after ${patienceMs / 1000} s`);
      await sleep(25);
    }
  }

  /** Everything accepted by now is metered, everything due has happened; time does not move. */
  async settle(): Promise<void> {
    if (this.clockId !== null) await this.advanceTo(await this.now());
  }

  async now(): Promise<string> {
    const { test_clock: clock } = await this.api.get<{ test_clock: { frozen_time: string } }>(this.clockPath());
    return clock.frozen_time;
  }

  /** Whole, the oldest billing first, of one instant by customer. */
  async invoices(): Promise<InvoiceJson[]> {
    const rows = await this.product.query<{ id: string }>(
      `select i.id from invoices i join customers c on c.id = i.customer_id
        where i.organization_id = $1 order by i.billing_at, c.sequential_id, i.sequential_id, i.id`,
      [this.organizationId],
    );
    const ids = rows.map(({ id }) => id);
    const { invoices } = await this.api.get<{ invoices: InvoiceJson[] }>('/api/v1/invoices?per_page=100');
    const unlisted = ids.filter((id) => !invoices.some((invoice) => invoice.lago_id === id));
    if (unlisted.length > 0) throw new Error(`Stored and not listed: ${unlisted.join(', ')}`);
    return Promise.all(ids.map((id) => this.invoice(id)));
  }

  async invoice(id: string): Promise<InvoiceJson> {
    return (await this.api.get<{ invoice: InvoiceJson }>(`/api/v1/invoices/${id}`)).invoice;
  }

  async lastInvoice(): Promise<InvoiceJson> {
    const last = (await this.invoices()).at(-1);
    if (last === undefined) throw new Error('There is no invoice yet');
    return last;
  }

  /** All invoices, one readable line each, see `document`. */
  async documents(): Promise<string[]> {
    return (await this.invoices()).map(document);
  }

  async currentUsage(subscription = this.names.subscription): Promise<CurrentUsageJson> {
    const path = `/api/v1/customers/${this.names.customer}/current_usage?external_subscription_id=${subscription}`;
    return (await this.api.get<{ customer_usage: CurrentUsageJson }>(path)).customer_usage;
  }

  /** Attempts to collect, in order: `1 2024-02-01 failed (insufficient_funds) pm_card_…`. */
  async attempts(): Promise<string[]> {
    const rows = await this.product.query<{ line: string }>(
      `select p.attempt || ' ' || to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' ' || p.status
              || coalesce(' (' || p.decline_code || ')', '') || ' ' || p.provider_payment_method_id as line
         from payments p join invoices i on i.id = p.invoice_id
        where p.organization_id = $1 order by i.billing_at, i.sequential_id, i.id, p.attempt`,
      [this.organizationId],
    );
    return rows.map(({ line }) => line);
  }

  /** Subscriptions with their state, in order of creation: `sub active`. */
  async subscriptions(): Promise<string[]> {
    const rows = await this.product.query<{ line: string }>(
      `select external_id || ' ' || status as line from subscriptions where organization_id = $1 order by created_at, external_id, ordinal`,
      [this.organizationId],
    );
    return rows.map(({ line }) => line);
  }

  /** What is due next, and when: `subscription period_end 2024-02-01T00:00:00Z`. */
  async awaited(): Promise<string[]> {
    const rows = await this.product.query<{ line: string }>(
      `select owner_kind || ' ' || kind || ' ' || to_char(due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as line
         from due_moments where organization_id = $1 order by due_at, owner_kind, owner_id`,
      [this.organizationId],
    );
    return rows.map(({ line }) => line);
  }

  /** All that is money or schedule, as stored. What is left out changes without meaning: when a row was last looked at. */
  private async picture(): Promise<unknown> {
    const rows = (table: string, order: string) =>
      this.product.query(`select * from ${table} where organization_id = $1 order by ${order}`, [this.organizationId]);
    return {
      events: await rows('events', 'id'),
      buckets: await rows('usage_buckets', 'external_subscription_id, metric_id, bucket_at, dimensions'),
      subscriptions: await rows('subscriptions', 'id'),
      periods: await rows('billing_periods', 'id'),
      late: await rows('late_usage', 'billing_period_id'),
      invoices: await rows('invoices', 'id'),
      fees: await rows('fees', 'id'),
      notes: await rows('credit_notes', 'id'),
      credits: await rows('invoice_credits', 'id'),
      payments: await rows('payments', 'id'),
      charges: await rows('sandbox_charges', 'id'),
      awaited: await this.awaited(),
    };
  }

  private clockPath(): string {
    if (this.clockId === null) throw new Error('This story happens on the wall clock');
    return `/api/v1/test_clocks/${this.clockId}`;
  }
}

/**
 * An invoice in a line: `ACM-001-001 finalized succeeded 2024-02-01: team 4900 + tokens 120.0 = 1200, 6100 EUR`. Taxes are
 * named when there are any.
 */
export function document(invoice: InvoiceJson): string {
  const fees = invoice.fees.map(({ item, units, amount_cents: amount }) =>
    item.type === 'subscription' ? `${item.code} ${amount}` : `${item.code} ${units} = ${amount}`,
  );
  const taxes = invoice.taxes_amount_cents === 0 ? [] : [`taxes ${invoice.taxes_amount_cents}`];
  const date = invoice.issuing_date ?? 'undated';
  const lines = [...fees, ...taxes].join(' + ') || 'nothing';
  const total = `${invoice.total_amount_cents} ${invoice.currency}`;
  return `${invoice.number} ${invoice.status} ${invoice.payment_status} ${date}: ${lines}, ${total}`;
}

async function startClock(api: Api, at: string): Promise<string> {
  const { test_clock: clock } = await api.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
    test_clock: { name: 'clock', frozen_time: at },
  });
  return clock.lago_id;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the arguments of a constructor are its own business
type Kind<T> = new (...args: any[]) => T;

function allOf<T>(things: readonly Thing[], kind: Kind<T>): T[] {
  return things.filter((thing): thing is Thing & T => thing instanceof kind);
}

function firstOf<T>(things: readonly Thing[], kind: Kind<T>): T | undefined {
  return allOf(things, kind)[0];
}

function orOne<T>(listed: T[], one: T): T[] {
  return listed.length > 0 ? listed : [one];
}
