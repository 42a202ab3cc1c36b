import { runningOrOwnStack } from '../billow.processes.js';
import { untilAskedToEnd } from '../platform/stack/end-request.js';
import {
  cards,
  type CastCustomer,
  customers as cast,
  lateMonths,
  plans,
  seatMetric,
  tax,
  tokenMetric,
  year,
} from './cast.js';
import { DemoClient, inParallel, type Invoice } from './demo-client.js';
import { amount, invoiceTable, totalsTable } from './invoice-table.js';
import { progressOf } from './progress.js';
import { temporalLinks } from './temporal-links.js';
import { type MonthOfUsage, type UsageEvent, usageOfYear } from './usage.js';

export interface DemoOptions {
  /** Ends when the tables are printed, instead of staying up until Ctrl-C. */
  exit: boolean;
  /** About so many events are sent; the quiet hours between the months take some twentieth off. */
  events?: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * Twelve months of an AI company on a test clock, through the public API alone: seeds the catalog and the customers, sends the
 * usage, lets every period close, and prints what was invoiced and paid.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const started = Date.now();
  const env = process.env;
  const adminToken = env.BILLOW_ADMIN_TOKEN || 'billow-dev-admin';
  console.log('Starting the stack');
  const stack = await runningOrOwnStack({
    dataDir: env.BILLOW_DATA_DIR || '.billow',
    env: { LOG_LEVEL: 'warn', BILLOW_ADMIN_TOKEN: adminToken },
    report: (line) => console.log(`  ${line}`),
  });
  try {
    const client = await DemoClient.ofNewOrganization(stack.endpoints.api, adminToken, 'Nimbus AI');
    const demo = new DemoYear(client, options.events ?? 107_000);
    await demo.seed();
    await demo.live();
    await demo.print();
    console.log(`\n${((Date.now() - started) / 1000).toFixed(0)} s in all.`);
    if (options.exit) return;

    printDoors(client, stack.endpoints.temporal_ui, env.TEMPORAL_NAMESPACE || 'billow');
    console.log(stack.own ? '\nEverything stays up until Ctrl-C.' : '\nThe stack was running before and stays up.');
    if (stack.own) await untilAskedToEnd();
  } finally {
    await stack.stop();
  }
}

class DemoYear {
  private readonly everyone: CastCustomer[] = Object.values(cast);
  private readonly usage: MonthOfUsage[];
  private readonly notes: string[] = [];
  private clockId = '';
  private sent = { events: 0, tokens: 0, ms: 0 };
  private readonly living = new Set<string>();

  constructor(
    private readonly client: DemoClient,
    events: number,
  ) {
    const subscriptions = this.everyone.flatMap((customer) => customer.subscriptions);
    this.usage = usageOfYear(year, events, subscriptions, cast.polyglot.subscriptions[0]!, lateMonths);
  }

  async seed(): Promise<void> {
    console.log('Seeding Nimbus AI: 2 metrics, 4 plans, 20 % tax, 9 customers on one test clock');
    await this.client.post('/api/v1/taxes', { tax });
    const metricIds = new Map<string, string>();
    for (const metric of [tokenMetric, seatMetric]) {
      const made = await this.client.post<{ billable_metric: { lago_id: string } }>('/api/v1/billable_metrics', {
        billable_metric: metric,
      });
      metricIds.set(metric.code, made.billable_metric.lago_id);
    }
    for (const plan of plans) {
      const charges = plan.charges.map(({ metric, ...charge }) => ({
        ...charge,
        billable_metric_id: metricIds.get(metric),
      }));
      await this.client.post('/api/v1/plans', { plan: { ...plan, charges } });
    }
    const made = await this.client.post<{ test_clock: { lago_id: string } }>('/api/v1/test_clocks', {
      test_clock: { name: `${year}`, frozen_time: new Date(Date.UTC(year, 0, 1, 9)).toISOString() },
    });
    this.clockId = made.test_clock.lago_id;
    for (const customer of this.everyone.filter(({ id }) => id !== cast.kiwi.id)) await this.join(customer);
  }

  /**
   * Each month stops three times: shortly before its middle and its end, to send the usage since the last stop, and half a
   * day after its end, when all time zones have closed the month and its invoices are drafts.
   */
  async live(): Promise<void> {
    const everything = this.usage.flatMap(({ firstHalf, secondHalf, late }) => [firstHalf, secondHalf, late]);
    const progress = progressOf(
      everything.reduce((sum, { length }) => sum + length, 0),
      'events',
    );
    for (const [index, usage] of this.usage.entries()) {
      const month = index + 1;
      const name = new Date(Date.UTC(year, index)).toLocaleString('en', { month: 'long', timeZone: 'UTC' });
      const end = Date.UTC(year, month, 1);

      progress.tell(`${name}: the first half`);
      await this.client.advance(this.clockId, Date.UTC(year, index, 15) - 12 * HOUR);
      await this.changeCards(month);
      await this.post(usage.firstHalf, progress.add);

      progress.tell(`${name}: the second half`);
      await this.client.advance(this.clockId, end - 12 * HOUR);
      await this.noteRecovery(month);
      await this.post(usage.secondHalf, progress.add);
      await this.endSubscriptions(end - 12 * HOUR);

      progress.tell(`${name}: closing`);
      await this.client.advance(this.clockId, end + 12 * HOUR);
      if (usage.late.length > 0) await this.postLate(usage.late, end + 12 * HOUR, name, progress.add);
    }
    progress.tell('the first days of the new year');
    const newYear = Date.UTC(year + 1, 0, 1);
    await this.client.advance(this.clockId, newYear + DAY + 9 * HOUR);
    await this.join(cast.kiwi);
    await this.client.advance(this.clockId, newYear + 4 * DAY + 12 * HOUR);
    progress.tell('');
    progress.end();
  }

  async print(): Promise<void> {
    const invoices = await this.client.invoices();
    console.log(`\n${invoiceTable(invoices)}\n`);
    console.log(`${totalsTable(invoices)}\n`);
    for (const note of this.notes) console.log(`- ${note}`);
    console.log(`- ${await this.accountForTokens(invoices)}`);
    const perSecond = Math.round(this.sent.events / (this.sent.ms / 1000));
    console.log(
      `- ${this.sent.events.toLocaleString('en')} events were accepted over HTTP at ${perSecond.toLocaleString('en')} a second.`,
    );
  }

  private async join(customer: CastCustomer): Promise<void> {
    await this.saveCustomer(customer, customer.card);
    for (const subscription of customer.subscriptions) {
      await this.client.post('/api/v1/subscriptions', {
        subscription: {
          external_id: subscription.id,
          external_customer_id: customer.id,
          plan_code: subscription.plan,
          billing_time: subscription.billingTime ?? 'calendar',
          ...(subscription.startsAt ? { subscription_at: subscription.startsAt } : {}),
        },
      });
      this.living.add(subscription.id);
    }
  }

  private async saveCustomer(customer: CastCustomer, card: string): Promise<void> {
    await this.client.post('/api/v1/customers', {
      customer: {
        external_id: customer.id,
        name: customer.name,
        timezone: customer.timezone,
        currency: customer.currency,
        test_clock_id: this.clockId,
        billing_configuration: {
          invoice_grace_period: customer.graceDays,
          payment_provider: 'sandbox',
          provider_payment_method_id: card,
        },
      },
    });
  }

  private async changeCards(month: number): Promise<void> {
    const spring = 4;
    if (month === spring - 1) await this.saveCustomer(cast.orbit, cards.empty);
    if (month === spring) {
      const [invoice] = await this.client.latestInvoices(cast.orbit.id);
      this.notes.push(
        `${cast.orbit.name}: on 14 April invoice ${invoice!.number} over ${amount(invoice!.total_amount_cents, invoice!.currency)} is "${invoice!.payment_status}", the card has no money. The customer enters a new card.`,
      );
      await this.saveCustomer(cast.orbit, cards.good);
    }
    if (month === 11) await this.saveCustomer(cast.northwind, cards.empty);
  }

  private async noteRecovery(month: number): Promise<void> {
    if (month !== 4) return;
    const [invoice] = await this.client.latestInvoices(cast.orbit.id);
    this.notes.push(
      `${cast.orbit.name}: on 30 April the same invoice ${invoice!.number} is "${invoice!.payment_status}", by the next try of the schedule.`,
    );
  }

  private async endSubscriptions(now: number): Promise<void> {
    for (const { id, endsAt } of this.everyone.flatMap(({ subscriptions }) => subscriptions)) {
      if (endsAt === undefined || Date.parse(endsAt) !== now) continue;
      await this.client.delete(`/api/v1/subscriptions/${id}`);
      this.living.delete(id);
    }
  }

  /** Usage that arrives when its month has been billed, while the invoice is a draft: nobody asks for a refresh. */
  private async postLate(
    events: UsageEvent[],
    now: number,
    month: string,
    add: (count: number) => void,
  ): Promise<void> {
    const before = await this.draftOf(cast.polyglot.id);
    await this.post(events, add);
    await this.client.advance(this.clockId, now);
    const after = await this.draftOf(cast.polyglot.id);
    if (before === undefined || after === undefined) return;
    this.notes.push(
      `${cast.polyglot.name}: the draft of ${month} said ${amount(before.total_amount_cents, before.currency)}; ${events.length} events arrived late, and it refreshed itself to ${amount(after.total_amount_cents, after.currency)}.`,
    );
  }

  private async draftOf(customerId: string): Promise<Invoice | undefined> {
    const latest = await this.client.latestInvoices(customerId);
    return latest.find(({ status }) => status === 'draft');
  }

  private async post(events: readonly UsageEvent[], add: (count: number) => void): Promise<void> {
    const started = Date.now();
    const batches = Array.from({ length: Math.ceil(events.length / 100) }, (_, i) =>
      events.slice(i * 100, i * 100 + 100),
    );
    await inParallel(batches, 8, async (batch) => {
      await this.client.post('/api/v1/events/batch', { events: batch });
      add(batch.length);
    });
    this.sent.ms += Date.now() - started;
    this.sent.events += events.length;
    for (const { properties } of events) this.sent.tokens += Number(properties.value ?? 0);
  }

  /** Every token that was sent is on an invoice, or in the current usage of a period that is still open. */
  private async accountForTokens(invoices: readonly Invoice[]): Promise<string> {
    const invoiced = invoices
      .flatMap(({ fees }) => fees)
      .filter(({ item }) => item.type === 'charge' && item.code === tokenMetric.code)
      .reduce((sum, fee) => sum + Number(fee.units), 0);
    let open = 0;
    for (const customer of this.everyone) {
      for (const { id } of customer.subscriptions.filter((subscription) => this.living.has(subscription.id))) {
        const { customer_usage: usage } = await this.client.get<CustomerUsage>(
          `/api/v1/customers/${customer.id}/current_usage?external_subscription_id=${id}`,
        );
        for (const charge of usage.charges_usage) {
          if (charge.billable_metric.code === tokenMetric.code) open += Number(charge.units);
        }
      }
    }
    const counts = `${this.sent.tokens.toLocaleString('en')} tokens sent, ${invoiced.toLocaleString('en')} invoiced, ${open.toLocaleString('en')} in open periods`;
    if (invoiced + open !== this.sent.tokens) throw new Error(`Usage does not add up: ${counts}.`);
    return `${counts}: every token is accounted for.`;
  }
}

interface CustomerUsage {
  customer_usage: { charges_usage: { units: string; billable_metric: { code: string } }[] };
}

function printDoors(client: DemoClient, temporalUi: string, namespace: string): void {
  const links = temporalLinks({ ui: temporalUi, namespace, organizationId: client.organizationId }, cast.orbit.id);
  console.log('\nTo look at:');
  if (temporalUi) for (const [title, url] of links) console.log(`  ${title.padEnd(20)}${url}`);
  console.log(`  ${'API documentation'.padEnd(20)}${client.url}/docs`);
  console.log('\nTo try:');
  const key = `-H 'Authorization: Bearer ${client.apiKey}'`;
  console.log(`  curl ${key} '${client.url}/api/v1/invoices?external_customer_id=${cast.orbit.id}'`);
  console.log(
    `  curl ${key} '${client.url}/api/v1/customers/${cast.acme.id}/current_usage?external_subscription_id=${cast.acme.subscriptions[0]!.id}'`,
  );
  const event = {
    transaction_id: 'hello-1',
    external_subscription_id: 'kiwi-team',
    code: tokenMetric.code,
    properties: { value: 120, model: 'large' },
  };
  console.log(
    `  curl ${key} -H 'Content-Type: application/json' '${client.url}/api/v1/events' -d '${JSON.stringify({ event })}'`,
  );
}
