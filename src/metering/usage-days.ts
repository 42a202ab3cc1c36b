import { instant } from '../domain/calendar/instant.js';
import { addDays } from '../domain/calendar/local-date.js';
import { localDate, startOfLocalDay, type TimeZone } from '../domain/calendar/time-zone.js';
import type { PartialAggregate } from '../domain/metering/partial-aggregate.js';
import type { UnitChange } from '../domain/metering/prorated-sum.js';
import type { EntityManager } from '../platform/database/database.js';
import { HOUR_MS, hourOf } from './metered-row.js';
import { coveringBlocks, startOf, type TimeBlock } from './time-blocks.js';
import { freeEdges, readBlocks, readEvents, type UsageSink } from './usage-blocks.js';
import type { UsageRequest, WeighedRange } from './usage-range.js';

/**
 * What each local day of a range adds to the sums of recurring metrics. It is read from days of UTC where the zone has the
 * same, else from hours; of an hour in which a local day begins (zones that are half an hour off) from its events.
 */
export async function readDays(em: EntityManager, range: WeighedRange & UsageRequest): Promise<UsageDays> {
  const days = new UsageDays(range);
  if (range.metrics.length === 0 || range.from >= range.to) return days;
  const edges = await freeEdges(em, range);
  const inHours = days.bounds.every((midnight) => startOf('hour', midnight) === midnight);
  const inDays = days.bounds.every((midnight) => startOf('day', midnight) === midnight);
  const blocks = inDays
    ? coveringBlocks(edges.from, edges.to, ['day', 'hour'])
    : coveringBlocks(edges.fromHour, edges.toHour, ['hour']);
  const split = inHours ? [] : days.bounds.map((midnight) => startOf('hour', midnight));
  const touched = await readBlocks(
    em,
    range,
    blocks.flatMap((block) => without(split, block)),
    days,
  );
  const hours = new Set([...touched, ...edges.cut.map(hourOf), ...split.map(hourOf)]);
  if (hours.size > 0) await readEvents(em, range, [...hours], days);
  return days;
}

/** A block in pieces, without these hours. */
function without(hours: readonly number[], block: TimeBlock): TimeBlock[] {
  const own = hours.filter((hour) => hour >= block.from && hour < block.to);
  const starts = [block.from, ...own.map((hour) => hour + HOUR_MS)];
  const ends = [...own, block.to];
  return starts.map((from, index) => ({ ...block, from, to: ends[index]! })).filter(({ from, to }) => from < to);
}

/** What was added on each day of a range, by metric and dimensions. */
export class UsageDays implements UsageSink {
  /** The local midnights after the start of the range. */
  readonly bounds: readonly number[];
  private readonly changes = new Map<string, UnitChange[]>();

  constructor(private readonly range: WeighedRange) {
    this.bounds = midnightsWithin(range);
  }

  add(metricId: string, dimensions: string, { sum }: PartialAggregate, part: number): void {
    const at = part === 0 ? this.range.from : instant(this.bounds[part - 1]!);
    const key = `${metricId}${dimensions}`;
    const known = this.changes.get(key);
    if (known === undefined) this.changes.set(key, [{ at, units: sum }]);
    else known.push({ at, units: sum });
  }

  /** One change a day of all these combinations of dimensions, in the order of the days. */
  of(metricId: string, members: readonly string[]): UnitChange[] {
    const byDay = new Map<number, UnitChange>();
    for (const dimensions of members) {
      for (const { at, units } of this.changes.get(`${metricId}${dimensions}`) ?? []) {
        const known = byDay.get(at);
        byDay.set(at, known === undefined ? { at, units } : { at, units: known.units.plus(units) });
      }
    }
    return [...byDay.values()].sort((a, b) => a.at - b.at);
  }
}

/** The local midnights after the start of a range, in epoch milliseconds. */
export function midnightsWithin({ from, to, zone }: { from: number; to: number; zone: TimeZone }): number[] {
  const midnights: number[] = [];
  for (let day = addDays(localDate(instant(from), zone), 1); ; day = addDays(day, 1)) {
    const midnight = startOfLocalDay(day, zone);
    if (midnight >= to) return midnights;
    midnights.push(midnight);
  }
}
