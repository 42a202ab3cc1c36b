import { jest } from '@jest/globals';
import fc from 'fast-check';
import { loadRatedPlan } from '../../src/catalog/rated-plan.js';
import { instant } from '../../src/domain/calendar/instant.js';
import { entities } from '../../src/entities.js';
import { rateUsage } from '../../src/invoicing/charge-usage.js';
import { UsageReader } from '../../src/metering/index.js';
import { Database } from '../../src/platform/database/database.js';
import {
  aCharge,
  aMetric,
  aPlan,
  aProduct,
  given,
  type Product,
  type Story,
  theWallClock,
  until,
  usage,
} from '../builders/index.js';

/**
 * What is in a bill (design, invariants 4 and 5): all that was acknowledged before the close, and nothing that depends on
 * when the close ran.
 */
jest.setTimeout(120_000);

let product: Product;
let database: Database;

beforeAll(async () => {
  product = await aProduct();
  database = await Database.connect(product.databaseUrl, entities);
});

afterAll(async () => {
  await database?.close();
  await product?.stop();
});

const PLAN = aPlan().withCharge(aCharge().standard('0.10'));

describe('What is acknowledged before the close is billed in it', () => {
  /** The consumer stands still while `work` goes on. */
  async function whileNothingIsStored(work: () => Promise<void>, end: 'goes on' | 'is killed'): Promise<void> {
    const consumer = product.pid('consumer');
    process.kill(consumer, 'SIGSTOP');
    try {
      await work();
    } finally {
      process.kill(consumer, end === 'goes on' ? 'SIGCONT' : 'SIGKILL');
    }
    if (end === 'is killed') await until('the consumer is back', () => product.pid('consumer') !== consumer);
  }

  test.each([['goes on'], ['is killed']] as const)(
    'the close waits for a consumer that stands still and %s',
    async (end) => {
      const story = await given(product, PLAN);
      await story.when(usage(1).at('2024-01-05T00:00:00Z'));
      await story.settle();
      await whileNothingIsStored(async () => {
        await story.when(usage(2).at('2024-01-20T00:00:00Z'), usage(4).at('2024-01-31T23:59:59.999Z'));
        await story.startAdvance('2024-02-01T00:00:00Z');
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        expect(await isAdvancing(story)).toBe(true);
        expect(await story.invoices()).toEqual([]);
      }, end);
      await story.ready();
      expect(await story.documents()).toEqual(['ACM-001-001 finalized pending 2024-02-01: tokens 7.0 = 70, 70 EUR']);
    },
  );

  test('so does a close on the wall clock', async () => {
    const story = await given(product, theWallClock(), PLAN);
    await whileNothingIsStored(async () => {
      await story.when(usage(7));
      await story.api.delete('/api/v1/subscriptions/sub');
      await until('the close has begun', async () => {
        const handle = product.temporal.workflow.getHandle(`subscription/${story.organizationId}/sub/1`);
        return ((await handle.describe()).raw.pendingActivities ?? []).length > 0;
      });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(await story.invoices()).toEqual([]);
    }, 'goes on');
    await until('the last invoice is there', async () => (await story.invoices()).length === 1);
    expect((await story.lastInvoice()).fees.map(({ item, units }) => `${item.code} ${units}`)).toEqual(['tokens 7.0']);
  });

  test('many gateways posting up to the last moment: billed is what was answered 200 before, in whole', async () => {
    const story = await given(product, PLAN);
    for (let month = 1; month <= 3; month += 1) {
      const at = `2024-0${month}-28T00:00:00Z`;
      await Promise.all(Array.from({ length: 300 }, () => story.when(usage(1).at(at))));
      await story.advanceTo(`2024-0${month + 1}-01T00:00:00Z`);
      expect((await story.lastInvoice()).fees[0]).toMatchObject({ units: '300.0', amount_cents: 3000 });
    }
  });
});

interface RandomEvent {
  readonly code: string;
  readonly quantity: number;
  /** Milliseconds into January. */
  readonly after: number;
}

const JANUARY = Date.parse('2024-01-01T00:00:00Z');
const FEBRUARY = Date.parse('2024-02-01T00:00:00Z');
const CODES = ['tokens', 'calls', 'peak', 'seats', 'users'];

const METERED = [
  aMetric('tokens'),
  aMetric('calls').counting(),
  aMetric('peak').takingTheMaxOf('value'),
  aMetric('seats').takingTheLatest('value'),
  aMetric('users').countingUnique('value'),
];

const RATED = aPlan()
  .costing(4900)
  .withCharge(aCharge('tokens').graduated([100, '0.10'], [1000, '0.07'], [null, '0.033']))
  .withCharge(aCharge('calls').package('0.50', 7, 3))
  .withCharge(aCharge('peak').standard('1.111'))
  .withCharge(aCharge('seats').standard('19.99'))
  .withCharge(aCharge('users').standard('0.333'));

const randomEvents = (fromMs: number, toMs: number, most: number) =>
  fc.array(
    fc.record<RandomEvent>({
      code: fc.constantFrom(...CODES),
      quantity: fc.integer({ min: 0, max: 500_000 }).map((thousandths) => thousandths / 1000),
      // Often at the edges, where a period, an hour and a bucket begin or end.
      after: fc.oneof(fc.integer({ min: fromMs, max: toMs - 1 }), fc.constantFrom(fromMs, toMs - 1)),
    }),
    { minLength: 1, maxLength: most },
  );

const month = FEBRUARY - JANUARY;
const SIX_HOURS = 6 * 3_600_000;

let posts = 0;

async function post(story: Story, events: readonly RandomEvent[]): Promise<void> {
  for (let start = 0; start < events.length; start += 100) {
    const batch = events.slice(start, start + 100).map(({ code, quantity, after }) => ({
      transaction_id: `random-${(posts += 1)}`,
      external_subscription_id: story.subscriptionId,
      code,
      timestamp: ((JANUARY + after) / 1000).toFixed(3),
      properties: { value: quantity.toFixed(3) },
    }));
    await story.api.post('/api/v1/events/batch', { events: batch });
  }
}

/** Amounts, units and counts of the first invoice. */
async function billed(story: Story): Promise<unknown> {
  const [invoice] = await story.invoices();
  return {
    total: invoice!.total_amount_cents,
    fees: await product.query(
      `select item->>'code' as code, units::text, amount_cents::int, precise_amount::text, events_count::int,
              amount_details, from_at, to_at
         from fees where invoice_id = $1 order by position`,
      [invoice!.lago_id],
    ),
  };
}

describe('When the close runs does not matter', () => {
  test('at the boundary, or six hours later with the next period under way: the same amounts', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomEvents(0, month, 250),
        randomEvents(month, month + SIX_HOURS, 50),
        async (january, next) => {
          const atOnce = await given(product, ...METERED, RATED);
          await post(atOnce, january);
          await atOnce.advanceTo('2024-02-01T00:00:00Z');

          const late = await given(product, ...METERED, RATED);
          await post(late, january);
          await post(late, next);
          await late.advanceTo('2024-02-01T06:00:00Z');
          expect(await billed(late)).toEqual(await billed(atOnce));
        },
      ),
      { numRuns: 3 },
    );
  });

  test('a fee computed again at its stored cutoff is the stored fee, whatever has come since', async () => {
    await fc.assert(
      fc.asyncProperty(randomEvents(0, month, 250), randomEvents(0, month + SIX_HOURS, 250), async (before, since) => {
        const story = await given(product, ...METERED, RATED);
        await post(story, before);
        await story.advanceTo('2024-02-01T00:00:00Z');
        const stored = await storedCharges(story);
        // One of each at least, so that something comes late for every charge.
        await post(story, [...since, ...CODES.map((code) => ({ code, quantity: 777.7, after: month - 1 }))]);
        await story.advanceTo('2024-02-01T06:00:00Z');

        expect(await storedCharges(story)).toEqual(stored);
        expect(await computedAgain(story, { atCutoff: true })).toEqual(stored);
        expect(await computedAgain(story, { atCutoff: false })).not.toEqual(stored);
      }),
      { numRuns: 3 },
    );
  });
});

type ChargeLine = Record<'code' | 'units' | 'amount' | 'events', string>;

async function storedCharges(story: Story): Promise<ChargeLine[]> {
  return product.query<ChargeLine>(
    `select f.item->>'code' as code, trim_scale(f.units)::text as units, f.amount_cents::text as amount,
            f.events_count::text as events
       from fees f join billing_periods b on b.id = f.billing_period_id
      where f.organization_id = $1 and f.fee_type = 'charge' order by b.billing_at, f.position`,
    [story.organizationId],
  );
}

/** Metering and rating of today over what the period has stored: its range, and its cutoff or none. */
async function computedAgain(story: Story, { atCutoff }: { atCutoff: boolean }): Promise<ChargeLine[]> {
  const [period] = await product.query<{ plan: string; from: Date; to: Date; days: number; cutoff: string }>(
    `select plan_id as plan, charges_from_at as from, charges_to_at as to, period_days as days,
            cutoff_sequence as cutoff
       from billing_periods where organization_id = $1`,
    [story.organizationId],
  );
  return database.tenant(story.organizationId, async (em) => {
    const lines = await rateUsage(em, new UsageReader(), await loadRatedPlan(em, period!.plan), {
      organizationId: story.organizationId,
      externalSubscriptionId: story.subscriptionId,
      from: instant(period!.from.getTime()),
      to: instant(period!.to.getTime()),
      zone: 'UTC',
      periodDays: period!.days,
      ...(atCutoff && { cutoffSequence: Number(period!.cutoff) }),
    });
    return lines
      .filter(({ usage: metered, amountMinor }) => amountMinor !== 0 || !metered.units.isZero())
      .map(({ charge, usage: metered, amountMinor }) => ({
        code: charge.metricRow.code,
        units: metered.units.toFixed(),
        amount: String(amountMinor),
        events: String(metered.eventsCount),
      }));
  });
}

async function isAdvancing(story: Story): Promise<boolean> {
  const path = `/api/v1/test_clocks/${story.clockId}`;
  const { test_clock: clock } = await story.api.get<{ test_clock: { status: string } }>(path);
  return clock.status === 'advancing';
}
