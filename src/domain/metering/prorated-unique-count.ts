import { epochDay } from '../calendar/local-date.js';
import { localDate, startOfLocalDay } from '../calendar/time-zone.js';
import { Decimal, ZERO } from '../money/decimal.js';
import { billedDays } from '../proration/day-count.js';
import type { MeteredEvent } from './metered-event.js';
import { comparePositions } from './partial-aggregate.js';
import { proratedUnits, type ProratedSpan, type ProratedUnits } from './prorated-sum.js';

/**
 * Prorated recurring unique count (reference 2.3): the days on which a value is present, the days of its addition and of
 * its removal both included and each day once, over the days of the period. What is there before the period is one step;
 * then each addition counts for the days that are left, and a removal gives back those after its own.
 *
 * Example: added with 16 of 31 days left -> 16 ÷ 31 = 0.51613 (rounded up); added and removed on one day -> 0.03226.
 */
export function proratedUniqueCount(events: readonly MeteredEvent[], span: ProratedSpan): ProratedUnits {
  const counted = events.filter((event) => event.counted && event.at < span.to).sort(comparePositions);
  const day = (event: MeteredEvent) => epochDay(localDate(event.at, span.zone));
  const firstDay = epochDay(localDate(span.from, span.zone));
  const firstMidnight = startOfLocalDay(localDate(span.from, span.zone), span.zone);
  const days = billedDays({ from: firstMidnight, to: span.to }, span.zone);
  const endDay = firstDay + days;
  const share = (from: number) => new Decimal(Math.max(0, endDay - from)).div(span.periodDays);

  const present = new Set<string>();
  /** Per value, the day from which on its days are not counted yet. */
  const uncounted = new Map<string, number>();
  const steps: { units: Decimal; prorated: Decimal }[] = [];
  let opened = false;
  const open = () => {
    if (!opened && present.size > 0) {
      const carried = new Decimal(present.size);
      steps.push({ units: carried, prorated: carried.times(days).div(span.periodDays) });
    }
    opened = true;
  };
  for (const event of counted) {
    const value = event.uniqueValue ?? '';
    const adds = event.operation === 'add';
    if (adds === present.has(value)) continue;
    if (event.at >= span.from) {
      open();
      if (adds) {
        const from = Math.max(day(event), uncounted.get(value) ?? firstDay);
        steps.push({ units: new Decimal(1), prorated: share(from) });
      } else {
        uncounted.set(value, day(event) + 1);
        steps.push({ units: new Decimal(-1), prorated: ZERO.minus(share(day(event) + 1)) });
      }
    }
    if (adds) present.add(value);
    else present.delete(value);
  }
  open();
  return proratedUnits(steps, counted.length);
}
