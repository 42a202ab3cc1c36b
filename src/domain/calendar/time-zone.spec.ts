import { describe, expect, it } from '@jest/globals';
import { instant, toIso, toIsoMilliseconds } from './instant.js';
import { addMonths, localDateOf, parseLocalDate, toIsoDate } from './local-date.js';
import { calendarDays, contains, intersection, isEmpty, lastInstant, localDays, overlaps, period } from './period.js';
import { isTimeZone, localDate, startOfLocalDay } from './time-zone.js';

describe('start of a local day', () => {
  it.each([
    ['UTC', 'UTC', '2024-02-29', '2024-02-29T00:00:00Z'],
    ['clocks go forward later that day', 'Europe/Paris', '2024-03-31', '2024-03-30T23:00:00Z'],
    ['the day after', 'Europe/Paris', '2024-04-01', '2024-03-31T22:00:00Z'],
    ['clocks go back later that day', 'Europe/Paris', '2024-10-27', '2024-10-26T22:00:00Z'],
    ['the day after', 'Europe/Paris', '2024-10-28', '2024-10-27T23:00:00Z'],
    ['midnight does not exist', 'America/Sao_Paulo', '2017-10-15', '2017-10-15T03:00:00Z'],
    ['the hour before midnight comes twice', 'America/Sao_Paulo', '2018-02-18', '2018-02-18T03:00:00Z'],
    ['midnight comes twice: the first', 'America/Havana', '2023-11-05', '2023-11-05T04:00:00Z'],
    ['a gap over midnight', 'America/Toronto', '1919-03-31', '1919-03-31T04:30:00Z'],
    ['the day was skipped', 'Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00Z'],
    ['half hours', 'Asia/Kolkata', '2024-01-01', '2023-12-31T18:30:00Z'],
    ['half an hour of daylight saving', 'Australia/Lord_Howe', '2024-04-08', '2024-04-07T13:30:00Z'],
    ['far east', 'Pacific/Kiritimati', '2024-01-01', '2023-12-31T10:00:00Z'],
    ['far west', 'Pacific/Pago_Pago', '2024-01-01', '2024-01-01T11:00:00Z'],
  ])('%s, %s %s', (_, zone, date, start) => {
    expect(toIso(startOfLocalDay(parseLocalDate(date), zone))).toBe(start);
  });
});

describe('local dates', () => {
  it.each([
    ['2024-01-01T04:59:59.999Z', 'America/New_York', '2023-12-31'],
    ['2024-01-01T05:00:00Z', 'America/New_York', '2024-01-01'],
    ['1969-12-31T23:59:59.999Z', 'UTC', '1969-12-31'],
    ['2024-06-30T23:00:00Z', 'Europe/Paris', '2024-07-01'],
  ])('%s in %s is %s', (at, zone, date) => expect(toIsoDate(localDate(instant(at), zone))).toBe(date));

  it.each([
    ['2024-01-31', 1, '2024-02-29'],
    ['2023-01-31', 1, '2023-02-28'],
    ['2023-01-31', 2, '2023-03-31'],
    ['2024-02-29', 12, '2025-02-28'],
    ['2024-02-29', 48, '2028-02-29'],
    ['2024-01-15', -1, '2023-12-15'],
    ['2024-03-31', -1, '2024-02-29'],
  ])('%s and %i months is %s', (date, months, later) => {
    expect(toIsoDate(addMonths(parseLocalDate(date), months))).toBe(later);
  });

  it('refuses text that is no date', () => expect(() => parseLocalDate('31/01/2024')).toThrow('is a date'));
});

describe('time zones', () => {
  it('knows IANA names', () => {
    const names = ['UTC', 'Europe/Paris', 'America/New_York', 'Mars/Olympus', '', '+02:00', null];
    expect(names.map(isTimeZone)).toEqual([true, true, true, false, false, false, false]);
  });
});

describe('instants and periods', () => {
  const january = period(instant('2024-01-01T00:00:00Z'), instant('2024-02-01T00:00:00Z'));

  it('prints UTC, cutting what is finer', () => {
    expect(toIso(instant('2024-01-01T00:00:00.999Z'))).toBe('2024-01-01T00:00:00Z');
    expect(toIsoMilliseconds(instant(0))).toBe('1970-01-01T00:00:00.000Z');
    expect(() => instant('yesterday')).toThrow('instant');
    expect(() => instant(0.5)).toThrow('instant');
  });

  it('has its start and not its end', () => {
    expect(contains(january, january.from)).toBe(true);
    expect(contains(january, january.to)).toBe(false);
    expect(toIso(lastInstant(january))).toBe('2024-01-31T23:59:59Z');
    expect(calendarDays(january, 'UTC')).toBe(31);
  });

  it('does not overlap its neighbour', () => {
    const february = period(january.to, instant('2024-03-01T00:00:00Z'));
    expect(overlaps(january, february)).toBe(false);
    expect(intersection(january, february)).toBeNull();
    expect(intersection(january, january)).toEqual(january);
    expect(isEmpty(period(january.to, january.to))).toBe(true);
    expect(() => period(january.to, january.from)).toThrow('ends after it starts');
  });

  it('lists its local days over a clock change', () => {
    const span = period(instant('2024-03-30T12:00:00Z'), instant('2024-04-01T12:00:00Z'));
    expect(localDays(span, 'Europe/Paris')).toEqual(['2024-03-30', '2024-03-31', '2024-04-01']);
    expect(localDateOf(2024, 3, 30)).toEqual({ year: 2024, month: 3, day: 30 });
  });
});
