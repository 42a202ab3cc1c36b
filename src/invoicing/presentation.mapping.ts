import { z } from 'zod';
import type { Dimensions } from '../domain/catalog/charge-filter.js';
import { Decimal } from '../domain/money/decimal.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import { byValues, type UsagePart } from './usage-breakdown.js';

/** Lago's `presentation_breakdowns`. */
export const presentationAnswer = z.array(
  z.object({ presentation_by: z.record(z.string(), z.string().nullable()), units: z.string() }),
);

type PresentationJson = z.infer<typeof presentationAnswer>;

/** A part as it is kept with a fee. */
export interface StoredPart {
  readonly presentation_by: Dimensions;
  readonly units: string;
  /** Keys that are shown with usage only. */
  readonly off_fees?: readonly string[];
}

export function toStoredParts(parts: readonly UsagePart[]): StoredPart[] {
  return parts.map(({ presentedBy, keys, units }) => {
    const off = keys.filter(({ onFees }) => !onFees).map(({ name }) => name);
    return { presentation_by: presentedBy, units: units.toFixed(), ...(off.length > 0 && { off_fees: off }) };
  });
}

/** Parts of several lines, each set of values once. As the units of these lines are, theirs are added up. */
export function presentationJson(parts: readonly Pick<UsagePart, 'presentedBy' | 'units'>[]): PresentationJson {
  const sums = new Map<string, Pick<UsagePart, 'presentedBy' | 'units'>>();
  for (const { presentedBy, units } of parts) {
    const key = JSON.stringify(Object.entries(presentedBy).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = sums.get(key);
    sums.set(key, { presentedBy, units: known === undefined ? units : known.units.plus(units) });
  }
  return [...sums.values()]
    .sort(byValues)
    .map(({ presentedBy, units }) => ({ presentation_by: presentedBy, units: railsDecimal(units) }));
}

/**
 * A part that only differs from another by a key which is not shown keeps a line of its own, as in Lago: units of parts
 * cannot always be added up.
 */
export function feePresentationJson(parts: readonly StoredPart[]): PresentationJson {
  return parts.flatMap(({ presentation_by: all, units, off_fees: off = [] }) => {
    const shown = Object.entries(all).filter(([key]) => !off.includes(key));
    return shown.length === 0
      ? []
      : [{ presentation_by: Object.fromEntries(shown), units: railsDecimal(new Decimal(units)) }];
  });
}
