import { invariant } from '../invariant.js';

declare const instantBrand: unique symbol;

/** A point in time: whole milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number & { readonly [instantBrand]: true };

export const SECOND = 1000;
export const DAY = 86_400 * SECOND;

/** From epoch milliseconds or ISO 8601 text with an offset (`2024-02-29T12:00:00Z`). Anything else is a defect. */
export function instant(at: number | string): Instant {
  const milliseconds = typeof at === 'number' ? at : Date.parse(at);
  invariant(Number.isSafeInteger(milliseconds), `${at} is an instant in whole milliseconds`);
  return milliseconds as Instant;
}

/** UTC to the second, as Lago prints most times: `2022-02-28T23:59:59Z`. Cuts the milliseconds, never rounds up. */
export function toIso(at: Instant): string {
  return `${toIsoMilliseconds(at).slice(0, -5)}Z`;
}

/** UTC to the millisecond, as Lago prints event times: `2022-02-28T23:59:59.999Z`. */
export function toIsoMilliseconds(at: Instant): string {
  return new Date(at).toISOString();
}

export function plus(at: Instant, milliseconds: number): Instant {
  return instant(at + milliseconds);
}

export function earlier(a: Instant, b: Instant): Instant {
  return a <= b ? a : b;
}

export function later(a: Instant, b: Instant): Instant {
  return a >= b ? a : b;
}
