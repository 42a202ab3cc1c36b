import { invariant } from '../invariant.js';
import { DAY } from './instant.js';

/** A day on a wall calendar, without a zone. `month` is 1 to 12. */
export interface LocalDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

export function localDateOf(year: number, month: number, day: number): LocalDate {
  return { year, month, day };
}

/** From `2024-02-29`. */
export function parseLocalDate(text: string): LocalDate {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  invariant(match, `${text} is a date like 2024-02-29`);
  return localDateOf(Number(match[1]), Number(match[2]), Number(match[3]));
}

/** `2024-02-29`. */
export function toIsoDate(date: LocalDate): string {
  const pad = (value: number, width: number) => String(value).padStart(width, '0');
  return `${pad(date.year, 4)}-${pad(date.month, 2)}-${pad(date.day, 2)}`;
}

/** Days since 1970-01-01; consecutive dates differ by one whatever clocks do. */
export function epochDay(date: LocalDate): number {
  return Date.UTC(date.year, date.month - 1, date.day) / DAY;
}

export function fromEpochDay(days: number): LocalDate {
  const date = new Date(days * DAY);
  return localDateOf(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate());
}

export function addDays(date: LocalDate, days: number): LocalDate {
  return fromEpochDay(epochDay(date) + days);
}

/** Adds months to an anchor and clamps to the month's length: 31 January + 1 -> 28/29 February, + 2 -> 31 March. */
export function addMonths(anchor: LocalDate, months: number): LocalDate {
  const monthIndex = anchor.year * 12 + (anchor.month - 1) + months;
  const year = Math.floor(monthIndex / 12);
  const month = monthIndex - year * 12 + 1;
  return localDateOf(year, month, Math.min(anchor.day, daysInMonth(year, month)));
}

export function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
