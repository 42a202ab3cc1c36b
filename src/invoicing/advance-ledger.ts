import { hash } from 'node:crypto';
import type { RatedCharge } from '../catalog/rated-plan.js';
import { type ChargeSlice, chargeSlice } from '../domain/catalog/charge-slice.js';
import { instant, type Instant } from '../domain/calendar/instant.js';
import type { MeteredEvent } from '../domain/metering/metered-event.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import {
  type AdvanceStep,
  type BilledSlice,
  type BilledTotals,
  changeOf,
  NOTHING_BILLED,
  rateInAdvance,
} from '../domain/rating/in-advance.js';
import { plainArray, textArray } from '../metering/array-literal.js';
import { meterForStore } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import type { SubscriptionRow } from '../subscriptions/subscription.entity.js';

/** An event as one charge of one subscription bills it. */
export interface AdvanceUse {
  readonly subscription: SubscriptionRow;
  readonly charge: RatedCharge;
  readonly slice: ChargeSlice;
  readonly event: MeteredEvent;
  /** The charge's period that the event lies in; half-open. */
  readonly periodFrom: Instant;
  readonly periodTo: Instant;
  /** Prorated charges: the part of the period from the event's day on. */
  readonly share: Decimal | null;
}

/** Where the totals of a recurring metric lie: it has one for all periods. */
const ALL_PERIODS = instant(0);
/** Backdated usage of older periods starts from nothing again. */
const PERIODS_KEPT = 24;
const HISTORY_PAGE = 5_000;

interface Kept {
  readonly key: Pick<AdvanceUse, 'subscription' | 'charge' | 'slice'>;
  slice: BilledSlice;
}

/**
 * What was billed in advance so far, of every slice that a batch of uses touches. It moves in the transaction that bills:
 * read once for the batch, stepped through in memory, written once.
 *
 * A charge's first use in a period (of a recurring metric: the first one ever) is preceded by an opening, which takes over
 * what was used before and not billed in advance. So of a slice without totals nothing has been used.
 */
export class AdvanceLedger {
  private readonly kept = new Map<string, Kept>();
  /** By slice, period and value; which things are there. */
  private readonly present = new Map<string, boolean>();
  private readonly changed = new Set<string>();
  private readonly changedValues = new Map<string, { id: string; from: Instant; value: string; present: boolean }>();
  private readonly opened: { subscriptionId: string; chargeId: string; from: Instant }[] = [];

  private constructor(private readonly em: EntityManager) {}

  /** `uses` in order of ingest sequence. */
  static async open(em: EntityManager, uses: readonly AdvanceUse[]): Promise<AdvanceLedger> {
    const ledger = new AdvanceLedger(em);
    if (uses.length === 0) return ledger;
    await ledger.load(uses);
    await ledger.openPeriods(uses);
    return ledger;
  }

  /** Bills one use. */
  step(use: AdvanceUse): AdvanceStep {
    const id = sliceId(use);
    const entry = this.entry(id, use);
    const from = periodOf(use);
    const change = this.changeBy(id, from, use.event);
    const step = rateInAdvance(
      { model: use.slice.filter?.model ?? use.charge.charge.model, recurring: use.charge.charge.metric.recurring },
      entry.slice,
      {
        periodFrom: use.periodFrom,
        change,
        preciseTotalAmountCents: use.event.preciseTotalAmountCents,
        share: use.share,
      },
    );
    entry.slice = step.after;
    this.changed.add(id);
    return step;
  }

  /** What was billed of a slice, with the uses that were stepped through; null when it was neither read nor touched. */
  billed(id: string): BilledSlice | null {
    return this.kept.get(id)?.slice ?? null;
  }

  async store(organizationId: string, at: Date): Promise<void> {
    const totals = [...this.changed].map((id) => {
      const { key, slice } = this.kept.get(id)!;
      return {
        id,
        subscription_id: key.subscription.id,
        charge_id: key.charge.row.id,
        charge_filter_id: key.slice.filter?.id ?? null,
        grouped_by: key.slice.groupedBy,
        level: slice.level.toFixed(),
        periods: periodsToJson(slice.periods),
      };
    });
    await this.em.execute(
      `insert into advance_totals (id, organization_id, subscription_id, charge_id, charge_filter_id, grouped_by, level,
         periods, updated_at)
       select id, ?::uuid, subscription_id, charge_id, charge_filter_id, grouped_by, level, periods, ?::timestamptz
         from jsonb_to_recordset(?::jsonb) as total (id uuid, subscription_id uuid, charge_id uuid, charge_filter_id uuid,
           grouped_by jsonb, level numeric, periods jsonb)
       on conflict (id) do update set level = excluded.level, periods = excluded.periods, updated_at = excluded.updated_at`,
      [organizationId, at, JSON.stringify(totals)],
    );
    const values = [...this.changedValues.values()];
    if (values.length > 0) {
      await this.em.execute(
        `insert into advance_values (organization_id, total_id, from_at, value, present)
         select ?::uuid, * from unnest(?::uuid[], ?::timestamptz[], ?::text[], ?::boolean[])
         on conflict (total_id, from_at, value) do update set present = excluded.present`,
        [
          organizationId,
          plainArray(values.map(({ id }) => id)),
          plainArray(values.map(({ from }) => new Date(from).toISOString())),
          textArray(values.map(({ value }) => value)),
          plainArray(values.map(({ present }) => String(present))),
        ],
      );
    }
    for (const { subscriptionId, chargeId, from } of this.opened) {
      await this.em.execute(
        `insert into advance_openings (organization_id, subscription_id, charge_id, from_at)
         values (?, ?, ?, ?) on conflict do nothing`,
        [organizationId, subscriptionId, chargeId, new Date(from)],
      );
    }
  }

  private async load(uses: readonly AdvanceUse[]): Promise<void> {
    const ids = [...new Map(uses.map((use) => [sliceId(use), use]))];
    const rows = await this.em.execute<TotalRow[]>(
      `select id, level::text, periods from advance_totals where id = any(?::uuid[])`,
      [plainArray(ids.map(([id]) => id))],
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const [id, use] of ids) {
      const row = byId.get(id);
      if (row === undefined) continue;
      this.kept.set(id, { key: use, slice: sliceFromRow(row) });
    }
    const unique = uses.filter(({ event }) => event.uniqueValue !== null);
    if (unique.length === 0) return;
    const values = await this.em.execute<{ total_id: string; from_ms: number; value: string; present: boolean }[]>(
      `select total_id, (extract(epoch from from_at) * 1000)::float8 as from_ms, value, present
         from advance_values where total_id = any(?::uuid[]) and value = any(?::text[])`,
      [
        plainArray([...new Set(unique.map(sliceId))]),
        textArray([...new Set(unique.map(({ event }) => event.uniqueValue!))]),
      ],
    );
    for (const { total_id, from_ms, value, present } of values) {
      this.present.set(valueKey(total_id, instant(from_ms), value), present);
    }
  }

  private async openPeriods(uses: readonly AdvanceUse[]): Promise<void> {
    const firsts = new Map<string, AdvanceUse>();
    for (const use of uses) {
      const key = openingKey(use.subscription.id, use.charge.row.id, periodOf(use));
      if (!firsts.has(key)) firsts.set(key, use);
    }
    const rows = await this.em.execute<{ subscription_id: string; charge_id: string; from_ms: number }[]>(
      `select subscription_id, charge_id, (extract(epoch from from_at) * 1000)::float8 as from_ms
         from advance_openings where subscription_id = any(?::uuid[]) and charge_id = any(?::uuid[])`,
      [
        plainArray([...new Set(uses.map((use) => use.subscription.id))]),
        plainArray([...new Set(uses.map((use) => use.charge.row.id))]),
      ],
    );
    for (const row of rows) firsts.delete(openingKey(row.subscription_id, row.charge_id, instant(row.from_ms)));
    for (const use of firsts.values()) await this.openBefore(use);
  }

  /** Takes over what was used before `first` was stored: it is there, and not for an event to pay. */
  private async openBefore(first: AdvanceUse): Promise<void> {
    const { subscription, charge } = first;
    const { metric } = charge.charge;
    const from = periodOf(first);
    for await (const event of historyOf(this.em, first)) {
      const slice = chargeSlice(charge.charge, event.dimensions);
      const use = { ...first, slice, event, share: null };
      const id = sliceId(use);
      const entry = this.entry(id, use);
      const change = this.changeBy(id, from, event);
      if (metric.recurring) entry.slice = { ...entry.slice, level: entry.slice.level.plus(change) };
      else {
        const terms = { model: slice.filter?.model ?? charge.charge.model, recurring: false };
        const past = { periodFrom: first.periodFrom, change, preciseTotalAmountCents: ZERO, share: null };
        entry.slice = rateInAdvance(terms, entry.slice, past).after;
      }
      this.changed.add(id);
    }
    this.opened.push({ subscriptionId: subscription.id, chargeId: charge.row.id, from });
  }

  private entry(id: string, key: Kept['key']): Kept {
    let entry = this.kept.get(id);
    if (entry === undefined) {
      entry = { key, slice: NOTHING_BILLED };
      this.kept.set(id, entry);
    }
    return entry;
  }

  private changeBy(id: string, from: Instant, event: MeteredEvent): Decimal {
    const { uniqueValue } = event;
    if (uniqueValue === null) return changeOf(event, false);
    const key = valueKey(id, from, uniqueValue);
    const change = changeOf(event, this.present.get(key) ?? false);
    const present = event.operation === 'add';
    if (!change.isZero()) {
      this.present.set(key, present);
      this.changedValues.set(key, { id, from, value: uniqueValue, present });
    }
    return change;
  }
}

/** What was billed in advance of the slices of some charges of a subscription, by the ids of the slices. */
export async function readBilledSlices(
  em: EntityManager,
  subscriptionId: string,
  chargeIds: readonly string[],
): Promise<Map<string, BilledSlice>> {
  const rows = await em.execute<TotalRow[]>(
    `select id, level::text, periods from advance_totals where subscription_id = ? and charge_id = any(?::uuid[])`,
    [subscriptionId, plainArray(chargeIds)],
  );
  return new Map(rows.map((row) => [row.id, sliceFromRow(row)]));
}

function sliceFromRow({ level, periods }: TotalRow): BilledSlice {
  return { level: new Decimal(level), periods: periodsFromJson(periods) };
}

interface TotalRow {
  readonly id: string;
  readonly level: string;
  readonly periods: Record<string, PeriodJson>;
}

interface PeriodJson {
  readonly units: string;
  readonly peak: string;
  readonly carried: string;
  readonly weighted: string;
  readonly eventsCount: number;
  readonly freeUnits: string;
  readonly freeEvents: number;
}

function periodsToJson(periods: BilledSlice['periods']): Record<string, PeriodJson> {
  const newest = [...periods].sort(([a], [b]) => b - a).slice(0, PERIODS_KEPT);
  return Object.fromEntries(
    newest.map(([from, { units, peak, carried, weighted, eventsCount, free }]) => [
      String(from),
      {
        ...{ units: units.toFixed(), peak: peak.toFixed(), eventsCount },
        ...{ carried: carried.toFixed(), weighted: weighted.toFixed() },
        ...{ freeUnits: free.units.toFixed(), freeEvents: free.events },
      },
    ]),
  );
}

function periodsFromJson(json: Record<string, PeriodJson>): Map<Instant, BilledTotals> {
  return new Map(
    Object.entries(json).map(([from, { units, peak, carried, weighted, eventsCount, freeUnits, freeEvents }]) => [
      instant(Number(from)),
      {
        ...{ units: new Decimal(units), peak: new Decimal(peak), eventsCount },
        ...{ carried: new Decimal(carried), weighted: new Decimal(weighted) },
        free: { units: new Decimal(freeUnits), events: freeEvents },
      },
    ]),
  );
}

function periodOf({ charge, periodFrom }: Pick<AdvanceUse, 'charge' | 'periodFrom'>): Instant {
  return charge.charge.metric.recurring ? ALL_PERIODS : periodFrom;
}

/** A UUID of version 8: the same slice of the same charge and subscription is the same row. */
export function sliceId({
  subscription,
  charge,
  slice,
}: {
  readonly subscription: { readonly id: string };
  readonly charge: { readonly row: { readonly id: string } };
  readonly slice: { readonly key: string };
}): string {
  const text = hash('sha256', `${subscription.id}\0${charge.row.id}\0${slice.key}`, 'hex');
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-8${text.slice(13, 16)}-8${text.slice(17, 20)}-${text.slice(20, 32)}`;
}

function valueKey(id: string, from: Instant, value: string): string {
  return `${id}/${from}/${value}`;
}

function openingKey(subscriptionId: string, chargeId: string, from: Instant): string {
  return `${subscriptionId}/${chargeId}/${from}`;
}

/** What the metric counted before an event came, in billing order: of its period, or ever when the metric recurs. */
async function* historyOf(em: EntityManager, before: AdvanceUse): AsyncGenerator<MeteredEvent> {
  const { subscription, charge, event } = before;
  const { metric } = charge.charge;
  let after = { at: metric.recurring ? EARLIEST : (before.periodFrom as number), sequence: '-1' };
  const to = metric.recurring ? LATEST : before.periodTo;
  for (;;) {
    const rows = await em.execute<{ at_ms: number; sequence: string; properties: Record<string, unknown> }[]>(
      `select (extract(epoch from "timestamp") * 1000)::float8 as at_ms, ingest_sequence::text as sequence, properties
         from events
        where organization_id = ? and external_subscription_id = ?
          and "timestamp" >= to_timestamp(?::float8 / 1000) and "timestamp" < to_timestamp(?::float8 / 1000)
          and ("timestamp", ingest_sequence) > (to_timestamp(?::float8 / 1000), ?::bigint)
          and code = ? and ingest_sequence < ?::bigint
        order by "timestamp", ingest_sequence limit ${HISTORY_PAGE}`,
      [
        subscription.organizationId,
        subscription.externalId,
        ...[after.at, to, after.at, after.sequence],
        metric.code,
        event.sequence,
      ],
    );
    for (const row of rows) {
      const metered = meterForStore(metric, {
        timestamp: instant(Math.round(row.at_ms)),
        properties: row.properties,
        sequence: Number(row.sequence),
      });
      if (metered.counted) yield metered;
    }
    const last = rows.at(-1);
    if (rows.length < HISTORY_PAGE || last === undefined) return;
    after = { at: last.at_ms, sequence: last.sequence };
  }
}

/** What an event's timestamp can be. */
const EARLIEST = -62_135_596_800_000;
const LATEST = 8_640_000_000_000_000;
