import { HOUR_MS } from './metered-row.js';

/** The lengths of time that aggregates are kept for, the longest first; days and months are those of UTC. */
export const GRAINS = ['month', 'day', 'hour'] as const;
export type Grain = (typeof GRAINS)[number];

/** Whole hours, days or months: half-open, in epoch milliseconds. */
export interface TimeBlock {
  readonly grain: Grain;
  readonly from: number;
  readonly to: number;
}

/** The longest blocks that cover a range of whole hours, from the given grains. */
export function coveringBlocks(from: number, to: number, grains: readonly Grain[]): TimeBlock[] {
  if (from >= to) return [];
  const [grain, ...finer] = grains;
  if (grain === undefined) return [];
  const first = startOf(grain, from) === from ? from : endOf(grain, from);
  const last = startOf(grain, to);
  if (first >= last) return coveringBlocks(from, to, finer);
  return [...coveringBlocks(from, first, finer), { grain, from: first, to: last }, ...coveringBlocks(last, to, finer)];
}

export function finerThan(grain: Grain): readonly Grain[] {
  return GRAINS.slice(GRAINS.indexOf(grain) + 1);
}

export function startOf(grain: Grain, at: number): number {
  if (grain === 'hour') return Math.floor(at / HOUR_MS) * HOUR_MS;
  const start = new Date(at);
  start.setUTCHours(0, 0, 0, 0);
  return grain === 'day' ? start.getTime() : start.setUTCDate(1);
}

/** Where the block ends that an instant lies in. */
export function endOf(grain: Grain, at: number): number {
  const start = new Date(startOf(grain, at));
  if (grain === 'hour') return start.getTime() + HOUR_MS;
  return grain === 'day' ? start.setUTCDate(start.getUTCDate() + 1) : start.setUTCMonth(start.getUTCMonth() + 1);
}
