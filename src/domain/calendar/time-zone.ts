import { invariant } from '../invariant.js';
import { DAY, instant, SECOND, type Instant } from './instant.js';
import { addDays, epochDay, fromEpochDay, type LocalDate } from './local-date.js';

/** IANA name: `Europe/Paris`, `UTC`. */
export type TimeZone = string;

// Building a formatter costs a thousand times its use; zones are few, so they are kept.
const formatters = new Map<TimeZone, Intl.DateTimeFormat>();

export function isTimeZone(name: unknown): name is TimeZone {
  if (typeof name !== 'string' || name === '' || /^[+-]/.test(name)) return false;
  try {
    formatterOf(name);
    return true;
  } catch {
    return false;
  }
}

/** The day on the wall calendar of the zone at this instant. */
export function localDate(at: Instant, zone: TimeZone): LocalDate {
  return fromEpochDay(Math.floor(wallClock(at, zone) / DAY));
}

/**
 * What the wall clock of the zone shows, as milliseconds since 1970-01-01 00:00 on that clock. Differences of wall
 * clocks count local days as 24 hours whatever daylight saving does.
 */
export function wallClock(at: Instant, zone: TimeZone): number {
  return at + offsetAt(at, zone);
}

/**
 * The first instant of a local day. Where midnight does not exist (clocks jump over it) it is the jump; where it exists
 * twice it is the first; where the whole day was skipped (Apia, 30 December 2011) it is the start of the next day.
 */
export function startOfLocalDay(date: LocalDate, zone: TimeZone): Instant {
  const midnightAsUtc = epochDay(date) * DAY;
  if (zone === 'UTC') return instant(midnightAsUtc);

  // The offsets a day before and after are the only ones in force around this midnight.
  const offsets = [-DAY, DAY].map((shift) => offsetAt(instant(midnightAsUtc + shift), zone));
  const candidates = offsets.map((offset) => midnightAsUtc - offset).sort((a, b) => a - b);
  const start = candidates.find((candidate) => isOn(candidate, date, zone));
  if (start === undefined) return startOfLocalDay(addDays(date, 1), zone);
  return isOn(start - 1, date, zone) ? firstInstantOn(date, zone, start) : instant(start);
}

/** A gap that starts before midnight and ends after it (Toronto, March 1919): the day starts inside the old hour. */
function firstInstantOn(date: LocalDate, zone: TimeZone, knownInside: number): Instant {
  let outside = knownInside - DAY / 4;
  let inside = knownInside;
  while (inside - outside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (isOn(middle, date, zone)) inside = middle;
    else outside = middle;
  }
  return instant(inside);
}

function isOn(at: number, date: LocalDate, zone: TimeZone): boolean {
  return Math.floor(wallClock(instant(at), zone) / DAY) === epochDay(date);
}

/** Milliseconds that the zone's wall clock is ahead of UTC. */
function offsetAt(at: Instant, zone: TimeZone): number {
  if (zone === 'UTC') return 0;
  const shown = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of formatterOf(zone).formatToParts(at)) {
    if (type in shown) shown[type as keyof typeof shown] = Number(value);
  }
  const wall = Date.UTC(shown.year, shown.month - 1, shown.day, shown.hour, shown.minute, shown.second);
  return wall - Math.floor(at / SECOND) * SECOND;
}

function formatterOf(zone: TimeZone): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known) return known;
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  invariant(formatter.resolvedOptions().calendar === 'gregory', 'Local dates are Gregorian');
  formatters.set(zone, formatter);
  return formatter;
}
