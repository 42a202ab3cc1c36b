import { epochDay } from '../calendar/local-date.js';
import { localDate } from '../calendar/time-zone.js';
import { Decimal } from '../money/decimal.js';
import { billedDays } from '../proration/day-count.js';
import type { MeteredEvent } from './metered-event.js';
import { comparePositions } from './partial-aggregate.js';
import { proratedUnits, type ProratedSpan, type ProratedUnits } from './prorated-sum.js';

/**
 * Prorated recurring unique count (reference 2.3): the days on which a value is present, the days of its addition and of
 * its removal both included and each day once, over the days of the period.
 *
 * Example: added with 16 of 31 days left -> 16 ÷ 31 = 0.51613 (rounded up); added and removed on one day -> 0.03226.
 */
export function proratedUniqueCount(events: readonly MeteredEvent[], span: ProratedSpan): ProratedUnits {
  const counted = events.filter((event) => event.counted && event.at < span.to).sort(comparePositions);
  const byValue = new Map<string, MeteredEvent[]>();
  for (const event of counted) {
    const value = event.uniqueValue ?? '';
    byValue.set(value, [...(byValue.get(value) ?? []), event]);
  }
  const steps = Array.from(byValue.values(), (operations) => ({
    units: new Decimal(operations.at(-1)?.operation === 'add' ? 1 : 0),
    prorated: new Decimal(daysPresent(operations, span)).div(span.periodDays),
  }));
  return proratedUnits(steps, counted.length);
}

function daysPresent(operations: readonly MeteredEvent[], span: ProratedSpan): number {
  const firstDay = epochDay(localDate(span.from, span.zone));
  const lastDay = firstDay + billedDays(span, span.zone) - 1;
  const days = new Set<number>();
  const mark = (from: number, to: number) => {
    for (let day = Math.max(from, firstDay); day <= Math.min(to, lastDay); day += 1) days.add(day);
  };
  let presentSince: number | null = null;
  for (const { at, operation } of operations) {
    const day = epochDay(localDate(at, span.zone));
    if (operation === 'add') presentSince ??= day;
    else if (presentSince !== null) {
      mark(presentSince, day);
      presentSince = null;
    }
  }
  if (presentSince !== null) mark(presentSince, lastDay);
  return days.size;
}
