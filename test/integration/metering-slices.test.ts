import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MetricDefinition } from '../../src/domain/catalog/billable-metric.js';
import type { Dimensions } from '../../src/domain/catalog/charge-filter.js';
import type { RatedCharge } from '../../src/catalog/rated-plan.js';
import { chargeSlice } from '../../src/domain/catalog/charge-slice.js';
import { instant } from '../../src/domain/calendar/instant.js';
import { aggregateEvents } from '../../src/domain/metering/aggregate.js';
import { meterEvent, type UsageEvent } from '../../src/domain/metering/metered-event.js';
import { meteredUnits, type MeteredUnits, proratedMeteredUnits } from '../../src/domain/metering/metered-units.js';
import { proratedSum } from '../../src/domain/metering/prorated-sum.js';
import { proratedUniqueCount } from '../../src/domain/metering/prorated-unique-count.js';
import { Decimal } from '../../src/domain/money/decimal.js';
import { UsageBreakdown } from '../../src/invoicing/usage-breakdown.js';
import {
  MetricDefinitions,
  type SliceRequest,
  UsageReader,
  verifyUsage,
  type WeighedRange,
} from '../../src/metering/index.js';
import { type Tenant, UsageRoad } from './usage-road.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2024-01-30T00:00:00Z');

let road: UsageRoad;

beforeAll(async () => {
  road = await UsageRoad.open();
  road.startConsumer();
});

afterAll(() => road.close());

describe('Slices of usage', () => {
  it('are what the domain makes of the raw events: any aggregation, order, edges and cutoff', async () => {
    const random = seeded(20_240_130);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    for (let trial = 0; trial < 3; trial += 1) {
      const tenant = await road.tenant();
      const filters = [{ key: 'model', values: ['a', 'b'] }];
      const grouped = { groupKeys: ['user'] };
      const recurring = { recurring: true };
      const metrics = [
        await road.metric(tenant, 'sum', 'sum_agg', 'value', filters, grouped),
        await road.metric(tenant, 'level', 'sum_agg', 'value', [], recurring),
        await road.metric(tenant, 'max', 'max_agg', 'value', filters),
        await road.metric(tenant, 'latest', 'latest_agg', 'value', filters, grouped),
        await road.metric(tenant, 'unique', 'unique_count_agg'),
        await road.metric(tenant, 'seats', 'unique_count_agg', 'value', filters, { ...recurring, ...grouped }),
        await road.metric(tenant, 'weighted', 'weighted_sum_agg', 'value', filters),
        await road.metric(tenant, 'storage', 'weighted_sum_agg', 'value', [], { ...recurring, ...grouped }),
      ];
      const cutoffs: number[] = [];
      let id = 0;
      for (let batch = 0; batch < 10; batch += 1) {
        // Most of a batch is about its own time, some of it comes late.
        const now = START + batch * 5 * DAY;
        const events = Array.from({ length: 1 + Math.floor(random() * 60) }, () => ({
          transaction_id: `t${(id += 1)}`,
          external_subscription_id: pick(['sub', 'sub', 'sub', 'other']),
          code: pick(metrics).code,
          timestamp: at(
            pick([now, now, START]) + Math.floor(random() * 20) * (HOUR / 2) * pick([1, 12, 37]) + pick([0, 0, 1, -1]),
          ),
          precise_total_amount_cents: pick([undefined, '1.5', '0.25']),
          properties: {
            value: pick([1, -2, 3.25, '4.5', 'red', 'blue', null, Math.floor(random() * 1e6) / 1000]),
            model: pick(['a', 'b', 'c', undefined]),
            user: pick(['u1', 'u2', 7, undefined]),
            operation_type: pick(['add', 'add', 'remove', undefined]),
          },
        }));
        expect((await road.batch(tenant, events)).status).toBe(200);
        if (random() < 0.4) cutoffs.push((await road.barrier.cutoffFor(tenant.id, 'sub')).cutoffSequence);
      }
      await road.settle();
      expect((await verifyUsage(road.database, { organizationId: tenant.id })).differences).toEqual([]);
      const requests = metrics.flatMap((metric): SliceRequest[] => [
        { metric, sliceOf: (dimensions) => JSON.stringify(dimensions) },
        { metric, sliceOf: () => 'all' },
        { metric, sliceOf: (dimensions) => `${dimensions['model']}` },
        ...(metric.recurring && metric.aggregation !== 'weighted_sum_agg'
          ? [
              { metric, prorated: true, sliceOf: () => 'all' },
              { metric, prorated: true, everyStep: true, sliceOf: () => 'all' },
              { metric, prorated: true, sliceOf: (dimensions: Dimensions) => JSON.stringify(dimensions) },
            ]
          : []),
      ]);
      const whole = () =>
        START + Math.floor(random() * 60) * DAY + pick([0, 0, 0, HOUR, 90 * 60_000, 1]) - pick([0, 0, 29 * DAY]);
      // Where events are thick, so that an hour is cut between two of them.
      const amongEvents = () => START + Math.floor(random() * 10) * 5 * DAY + Math.floor(random() * 20) * (HOUR / 2);
      const edge = () => pick([whole, amongEvents])();
      for (const cutoffSequence of [undefined, ...cutoffs, undefined, undefined]) {
        for (let look = 0; look < 4; look += 1) {
          const [from, to] = [edge(), pick([edge(), START + 90 * DAY])].sort((a, b) => a - b) as [number, number];
          const range: WeighedRange = {
            organizationId: tenant.id,
            externalSubscriptionId: 'sub',
            from: instant(from),
            to: instant(to),
            zone: pick(['UTC', 'Asia/Kolkata', 'America/New_York', 'Australia/Lord_Howe']),
            periodDays: 30,
            ...(cutoffSequence === undefined ? {} : { cutoffSequence }),
          };
          const read = await road.database.tenant(tenant.id, (em) => new UsageReader().slices(em, range, requests));
          const raw = await rawEvents(tenant, cutoffSequence);
          for (const [index, request] of requests.entries()) {
            const shown = Object.fromEntries(read[index]!.map(({ slice, usage }) => [slice, shownUnits(usage)]));
            const place = `${request.metric.code} ${index} ${new Date(from).toISOString()} ${new Date(to).toISOString()}`;
            expect([place, shown]).toEqual([place, expected(request, raw, range)]);
          }
        }
      }
    }
  }, 180_000);

  it('weigh a thing by the day on which it came and went within an hour, however late the store heard of it', async () => {
    const tenant = await road.tenant();
    const seats = await road.metric(tenant, 'seats', 'unique_count_agg', 'value', [], { recurring: true });
    const minute = 60_000;
    const operate = async (operation_type: string, minutes: number) => {
      await road.event(tenant, {
        transaction_id: `${operation_type} ${minutes}`,
        external_subscription_id: 'sub',
        code: 'seats',
        timestamp: at(START + minutes * minute),
        properties: { value: 'ada', operation_type },
      });
      // A batch each: what an hour keeps is put together from both.
      await road.settle();
    };
    const weighed = async (zone: string) => {
      const range = {
        ...{ organizationId: tenant.id, externalSubscriptionId: 'sub', zone, periodDays: 10 },
        ...{ from: instant(START - DAY), to: instant(START + 9 * DAY) },
      };
      const [slices] = await road.database.tenant(tenant.id, (em) =>
        new UsageReader().slices(em, range, [{ metric: seats, prorated: true, sliceOf: () => '' }]),
      );
      return slices!.map(({ usage }) => [usage.units.toFixed(), usage.fullUnits?.toFixed()]);
    };
    await operate('remove', 50);
    expect(await weighed('UTC')).toEqual([['0', '0']]);
    await operate('add', 10);
    expect(await weighed('UTC')).toEqual([['0.1', '0']]);
    await operate('remove', 20);
    await operate('add', 40);
    // Once a day, whatever happens in it.
    expect(await weighed('UTC')).toEqual([['0.1', '0']]);
    // In Kathmandu midnight was at 18:15.
    await operate('add', 18 * 60 + 10);
    await operate('remove', 18 * 60 + 20);
    expect([await weighed('UTC'), await weighed('Asia/Kathmandu')]).toEqual([[['0.1', '0']], [['0.2', '0']]]);
    expect((await verifyUsage(road.database, { organizationId: tenant.id })).differences).toEqual([]);
  });

  it('weigh a sum by the local day, also where that begins within an hour', async () => {
    const tenant = await road.tenant();
    const level = await road.metric(tenant, 'level', 'sum_agg', 'value', [], { recurring: true });
    // In Kathmandu it is midnight at 18:15.
    for (const minutes of [18 * 60 + 10, 18 * 60 + 20]) {
      await road.event(tenant, {
        transaction_id: `at ${minutes}`,
        external_subscription_id: 'sub',
        code: 'level',
        timestamp: at(START + minutes * 60_000),
        properties: { value: 1 },
      });
    }
    await road.settle();
    const weighed = async (zone: string) => {
      const range = {
        ...{ organizationId: tenant.id, externalSubscriptionId: 'sub', zone, periodDays: 10 },
        ...{ from: instant(START), to: instant(START + 2 * DAY) },
      };
      const [slices] = await road.database.tenant(tenant.id, (em) =>
        new UsageReader().slices(em, range, [{ metric: level, prorated: true, sliceOf: () => '' }]),
      );
      return slices!.map(({ usage }) => usage.units.toFixed());
    };
    expect([await weighed('UTC'), await weighed('Asia/Kathmandu')]).toEqual([['0.4'], ['0.5']]);
  });

  it('count the values behind the cut of an hour, and nothing that came behind the cutoff', async () => {
    const tenant = await road.tenant();
    const unique = await road.metric(tenant, 'unique', 'unique_count_agg');
    const minute = 60_000;
    let id = 0;
    const use = (value: string, minutes: number) =>
      road.event(tenant, {
        transaction_id: `t${(id += 1)}`,
        external_subscription_id: 'sub',
        code: 'unique',
        timestamp: at(START + minutes * minute),
        properties: { value },
      });
    const present = async (from: number, cutoffSequence?: number) => {
      await road.settle();
      const range = {
        organizationId: tenant.id,
        externalSubscriptionId: 'sub',
        from: instant(START + from * minute),
        to: instant(START + DAY),
        zone: 'UTC',
        periodDays: 31,
        ...(cutoffSequence === undefined ? {} : { cutoffSequence }),
      };
      const [slices] = await road.database.tenant(tenant.id, (em) =>
        new UsageReader().slices(em, range, [{ metric: unique, sliceOf: () => '' }]),
      );
      return slices![0]?.usage.units.toNumber();
    };
    await use('before', 10);
    await use('both', 20);
    await use('both', 40);
    await use('behind', 50);
    await use('later', 70);
    expect([await present(0), await present(30), await present(45), await present(60)]).toEqual([4, 3, 2, 1]);
    const { cutoffSequence } = await road.barrier.cutoffFor(tenant.id, 'sub');
    await use('late', 55);
    expect([await present(30), await present(30, cutoffSequence)]).toEqual([4, 3]);
  });

  it('are shown in parts by presentation keys, each counted by itself', async () => {
    const tenant = await road.tenant();
    const groupKeys = ['team'];
    const users = await road.metric(tenant, 'users', 'unique_count_agg', 'value', [], { groupKeys });
    const peak = await road.metric(tenant, 'peak', 'max_agg', 'value', [], { groupKeys });
    const used = [
      ['ada', 'red', 5],
      ['bob', 'red', 3],
      ['ada', 'blue', 4],
      ['cleo', undefined, 1],
    ] as const;
    for (const [index, [user, team, height]] of used.entries()) {
      for (const [code, value] of [
        ['users', user],
        ['peak', height],
      ] as const) {
        const event = {
          transaction_id: `${code}${index}`,
          external_subscription_id: 'sub',
          code,
          timestamp: at(START),
        };
        await road.event(tenant, { ...event, properties: { value, team } });
      }
    }
    await road.settle();
    const range = { organizationId: tenant.id, externalSubscriptionId: 'sub', zone: 'UTC', periodDays: 31 };
    const shown = async (asked: string[] | null) => {
      const charges = [users, peak].map((metric) => ({
        charge: { metric, filters: [], presentationKeys: [{ name: 'team', onFees: true }] },
      })) as unknown as RatedCharge[];
      const breakdown = new UsageBreakdown(charges, asked);
      const read = await road.database.tenant(tenant.id, (em) =>
        new UsageReader().slices(em, { ...range, from: instant(START), to: instant(START + DAY) }, [
          ...[users, peak].map((metric) => ({ metric, sliceOf: () => 'all' })),
          ...breakdown.requests,
        ]),
      );
      const partsOf = breakdown.partsIn(read.slice(2));
      return charges.map((charge, index) => [
        read[index]![0]!.usage.units.toNumber(),
        ...partsOf(charge, chargeSlice(charge.charge, {}).key).map(
          ({ presentedBy, units }) => `${presentedBy['team']} ${units.toFixed()}`,
        ),
      ]);
    };
    const all = [
      [3, 'blue 1', 'red 2', 'null 1'],
      [5, 'blue 4', 'red 5', 'null 1'],
    ];
    expect(await shown(null)).toEqual(all);
    expect(await shown(['team'])).toEqual(all);
    expect(await shown(['red', 'none'])).toEqual([
      [3, 'red 2'],
      [5, 'red 5'],
    ]);
    expect(await shown([])).toEqual([[3], [5]]);
  });

  it('are told apart by a key as soon as a price is grouped by it, the stored usage too', async () => {
    const tenant = await road.tenant();
    const sum = await road.metric(tenant, 'calls', 'sum_agg');
    const send = (transaction_id: string, user: string | undefined, value: string) =>
      road.event(tenant, {
        transaction_id,
        external_subscription_id: 'sub',
        code: 'calls',
        timestamp: at(START),
        properties: { value, user },
      });
    await send('1', 'ada', '1');
    await send('2', undefined, '2');
    await road.settle();
    const keys = (names: string[]) =>
      road.database.tenant(tenant.id, (em) => new MetricDefinitions().groupedBy(em, tenant.id, sum.id, names));
    await keys(['user']);
    await keys(['user']);
    await send('3', 'ada', '4');
    await road.settle();
    const metric = { ...sum, groupKeys: ['user'] };
    const [slices] = await road.database.tenant(tenant.id, (em) =>
      new UsageReader().slices(
        em,
        {
          organizationId: tenant.id,
          externalSubscriptionId: 'sub',
          from: instant(START),
          to: instant(START + DAY),
          zone: 'UTC',
          periodDays: 31,
        },
        [{ metric, sliceOf: ({ user }) => String(user) }],
      ),
    );
    const units = Object.fromEntries(slices!.map(({ slice, usage }) => [slice, usage.units.toFixed()]));
    expect(units).toEqual({ ada: '5', null: '2' });
    const { rows } = await road.sql.query('select metering_version::int as version from organizations where id = $1', [
      tenant.id,
    ]);
    expect(rows).toEqual([{ version: 2 }]);
    expect((await verifyUsage(road.database, { organizationId: tenant.id })).differences).toEqual([]);
  });
});

type RawEvent = UsageEvent & { readonly code: string };

async function rawEvents(tenant: Tenant, cutoff: number | undefined): Promise<RawEvent[]> {
  const { rows } = await road.sql.query(
    `select code, properties, precise_total_amount_cents as precise, (extract(epoch from "timestamp") * 1000)::float8 as ms,
            ingest_sequence::float8 as sequence
       from events where organization_id = $1 and external_subscription_id = 'sub' and ingest_sequence <= $2`,
    [tenant.id, cutoff ?? Number.MAX_SAFE_INTEGER],
  );
  return rows.map((row) => ({
    code: row.code,
    timestamp: instant(Math.round(row.ms)),
    sequence: row.sequence,
    properties: row.properties,
    preciseTotalAmountCents: row.precise === null ? null : new Decimal(row.precise),
  }));
}

/** The same through the pure domain, event by event. */
function expected({ metric, sliceOf, prorated }: SliceRequest, raw: readonly RawEvent[], range: WeighedRange) {
  const slices = new Map<string, RawEvent[]>();
  for (const event of raw) {
    const metered = meterEvent(metric, event);
    if (event.code !== metric.code || !metered.counted || event.timestamp >= range.to) continue;
    if (!metric.recurring && event.timestamp < range.from) continue;
    const slice = sliceOf(metered.dimensions);
    slices.set(slice, [...(slices.get(slice) ?? []), event]);
  }
  return Object.fromEntries(
    Array.from(slices, ([slice, events]) => {
      const partial = aggregateEvents(
        metric,
        events.filter((event) => event.timestamp >= range.from),
      );
      const carried = aggregateEvents(
        metric,
        events.filter((event) => event.timestamp < range.from),
      );
      return [slice, shownUnits(unitsOf(metric, events, { partial, carried }, range, prorated === true))];
    }),
  );
}

function unitsOf(
  metric: MetricDefinition,
  events: readonly RawEvent[],
  history: Parameters<typeof meteredUnits>[1],
  range: WeighedRange,
  prorated: boolean,
): MeteredUnits {
  if (!prorated) return meteredUnits(metric, history, range);
  const weigh = metric.aggregation === 'unique_count_agg' ? proratedUniqueCount : proratedSum;
  return proratedMeteredUnits(
    metric,
    weigh(
      events.map((event) => meterEvent(metric, event)),
      range,
    ),
    history,
  );
}

function shownUnits({
  units,
  eventsCount,
  totalAggregatedUnits,
  preciseTotalAmountCents,
  fullUnits,
}: MeteredUnits): string {
  const full = fullUnits === undefined ? '' : `, full ${fullUnits.toFixed()}`;
  return `${units.toFixed()} of ${eventsCount}, total ${totalAggregatedUnits.toFixed()}, cents ${preciseTotalAmountCents.toFixed()}${full}`;
}

const at = (milliseconds: number) => (milliseconds / 1000).toFixed(3);

/** Random numbers that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
