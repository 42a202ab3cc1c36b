import type { MetricDefinition } from '../domain/catalog/billable-metric.js';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { dimensionsKey } from '../domain/metering/metered-event.js';
import { meteredUnits, type MeteredUnits, proratedMeteredUnits } from '../domain/metering/metered-units.js';
import { mergeAll } from '../domain/metering/partial-aggregate.js';
import { proratedHistory, proratedSum, type UnitChange, type UnitHistory } from '../domain/metering/prorated-sum.js';
import { proratedUniqueCount } from '../domain/metering/prorated-unique-count.js';
import type { Decimal } from '../domain/money/decimal.js';
import type { EntityManager } from '../platform/database/database.js';
import { eventsOfMetrics } from './event-rows.js';
import { bySlice, readTransactions, type SliceOf, type TransactionsRequest } from './transactions.js';
import { readUniqueDays } from './unique-days.js';
import { isCurrent, presentIn, readPresence, type SlicedUsage } from './unique-presence.js';
import { readDays } from './usage-days.js';
import { type Reading, readHistory, type UsageGroup } from './usage-history.js';
import { isUniqueCount, type UsageRange, type UsageRequest, type WeighedRange } from './usage-range.js';

/** What one charge asks for: the usage of its metric, cut into slices, each of which is rated by itself. */
export interface SliceRequest {
  readonly metric: MetricDefinition;
  readonly sliceOf: SliceOf;
  /** Weighs the units of a recurring metric by the days on which they are there. */
  readonly prorated?: boolean;
  /**
   * Prorated: the price depends on more than what each day changed in sum, on the order within a day or on how high the units
   * stood. Then all their events are read.
   */
  readonly everyStep?: boolean;
}

export interface UsageSlice {
  readonly slice: string;
  /** Of some usage in it: what all of a slice has in common can be read off. */
  readonly dimensions: Dimensions;
  readonly usage: MeteredUnits;
}

/**
 * Reads usage from the aggregates: what it costs depends on the hours of the range, or for metrics with groups or a history
 * on its months, days and hours, and not on the events in them.
 *
 * Single events are read only of hours that the aggregates cannot answer for: an hour which the range cuts while events lie
 * on the other side of the cut, and an hour to which something was added behind the cutoff.
 */
export class UsageReader {
  /**
   * The usage of charges, slice by slice, ready to be rated; the answers stand in the order of the requests. A slice without
   * usage is absent: nothing happened in the range and, for a recurring metric, nothing is carried into it.
   */
  async slices(em: EntityManager, range: WeighedRange, requests: readonly SliceRequest[]): Promise<UsageSlice[][]> {
    const metrics = [...new Map(requests.map(({ metric }) => [metric.id, metric])).values()];
    const reading = await readHistory(em, { ...range, metrics }, 'without values');
    const uncounted = metrics.filter(isUniqueCount);
    const current = uncounted.length > 0 && (await isCurrent(em, range, uncounted, reading));
    if (uncounted.length > 0 && !current) await addValues(em, range, uncounted, reading);
    const presence = current ? await readPresence(em, range, uncounted, reading) : null;
    const weighed = requests.filter((request) => request.prorated === true);
    const byEvent = weighed.filter(isWeighedByEvent).map(({ metric }) => metric);
    const events = await eventsOfMetrics(em, range, [...new Set(byEvent)]);
    const byDay = weighed.filter((request) => !isWeighedByEvent(request));
    const sums = byDay.filter(({ metric }) => !isUniqueCount(metric)).map(({ metric }) => metric);
    const days = await readDays(em, { ...range, metrics: [...new Set(sums)] });
    const slicings = requests.map((request) => sliced(reading.groups(request.metric.id), request.sliceOf));
    // Weighed ones are counted by their days, or from their events.
    const counted = slicings
      .map((slices, index) => ({ metric: requests[index]!.metric, slices }))
      .filter(({ metric }, index) => isUniqueCount(metric) && requests[index]!.prorated !== true);
    const present = presence === null ? null : await presentIn(em, range, counted, presence);
    const uniqueDays = await readUniqueDays(
      em,
      range,
      requests.flatMap((request, index) =>
        byDay.includes(request) && isUniqueCount(request.metric)
          ? slicings[index]!.map((slice) => ({ metric: request.metric, slice }))
          : [],
      ),
    );
    return requests.map((request, index) => {
      const { metric } = request;
      const isByEvent = request.prorated === true && isWeighedByEvent(request);
      const eventsOf = isByEvent ? bySlice(events.get(metric.id) ?? [], request.sliceOf) : null;
      return slicings[index]!.map((one) => {
        const { slice, dimensions, partial, carried } = one;
        const known = present?.get(one);
        const history = { partial, carried, ...(known === undefined ? {} : { present: known }) };
        if (request.prorated !== true) return { slice, dimensions, usage: meteredUnits(metric, history, range) };
        const units =
          eventsOf === null
            ? (uniqueDays.get(one) ?? proratedHistory(historyOf(one, days.of(metric.id, one.members)), range))
            : (isUniqueCount(metric) ? proratedUniqueCount : proratedSum)(eventsOf.get(slice) ?? [], range);
        return { slice, dimensions, usage: proratedMeteredUnits(metric, units, history) };
      });
    });
  }

  /**
   * Per metric, the usage of every combination of dimensions that has any in the range or, if the metric recurs, before it.
   * A metric without usage is absent.
   */
  async read(em: EntityManager, request: UsageRequest): Promise<Map<string, UsageGroup[]>> {
    const reading = await readHistory(em, request, 'with values');
    const found = new Map<string, UsageGroup[]>();
    for (const metric of request.metrics) {
      const groups = reading.groups(metric.id);
      if (groups.length > 0) found.set(metric.id, groups);
    }
    return found;
  }

  /**
   * The values of the counted events of each slice in billing order (time, then arrival), as the per-event rules of percentage
   * prices need them; the answers stand in the order of the requests. One reading serves all of them, page by page, and ends
   * when every slice has what it asked for.
   */
  transactions(
    em: EntityManager,
    range: UsageRange,
    requests: readonly TransactionsRequest[],
  ): Promise<Map<string, Decimal[]>[]> {
    return readTransactions(em, range, requests);
  }
}

const isWeighedByEvent = ({ everyStep }: SliceRequest): boolean => everyStep === true;

function historyOf({ carried, partial }: SlicedUsage, changes: readonly UnitChange[]): UnitHistory {
  return {
    carried: carried.eventsCount === 0 ? null : carried.sum,
    changes,
    eventsCount: carried.eventsCount + partial.eventsCount,
  };
}

/** For a range that is not current: the values themselves, in place of what was read without them. */
async function addValues(
  em: EntityManager,
  range: UsageRange,
  metrics: readonly MetricDefinition[],
  reading: Reading,
): Promise<void> {
  const { inside, before } = await readHistory(em, { ...range, metrics }, 'with values');
  for (const { id } of metrics) {
    reading.inside.groups.replace(id, inside.groups);
    reading.before.groups.replace(id, before.groups);
  }
}

function sliced(groups: readonly UsageGroup[], sliceOf: SliceOf): SlicedUsage[] {
  const slices = new Map<string, UsageGroup[]>();
  for (const group of groups) {
    const slice = sliceOf(group.dimensions);
    const others = slices.get(slice);
    if (others === undefined) slices.set(slice, [group]);
    else others.push(group);
  }
  return Array.from(slices, ([slice, members]) => ({
    slice,
    dimensions: members[0]!.dimensions,
    members: members.map(({ dimensions }) => dimensionsKey(dimensions)),
    partial: mergeAll(members.map(({ partial }) => partial)),
    carried: mergeAll(members.map(({ carried }) => carried)),
  }));
}
