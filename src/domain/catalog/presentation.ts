import type { ChargeFilter, Dimensions, PresentationKey } from './charge-filter.js';
import { chargeSlice } from './charge-slice.js';
import type { Charge } from './plan.js';

/** Usage of one slice of a charge that has the same values of the slice's presentation keys. */
export interface PresentedPart {
  /** Of the slice that it is a part of: `chargeSlice(…).key`. */
  readonly slice: string;
  readonly keys: readonly PresentationKey[];
  /** The value of each key, `null` where an event has none. */
  readonly presentedBy: Dimensions;
  /** Equal for equal parts of one charge. */
  readonly key: string;
}

/** A filter's own keys or, where it names none, its charge's: Lago has them on charges only. */
export function presentationKeys(
  charge: Pick<Charge, 'presentationKeys'>,
  filter: Pick<ChargeFilter, 'presentationKeys'> | null,
): readonly PresentationKey[] {
  const own = filter?.presentationKeys ?? [];
  return own.length > 0 ? own : (charge.presentationKeys ?? []);
}

export function isPresented(charge: Pick<Charge, 'presentationKeys' | 'filters'>): boolean {
  return [null, ...charge.filters].some((filter) => presentationKeys(charge, filter).length > 0);
}

/**
 * Which part of which slice usage with these dimensions belongs to. `shown` chooses among the keys of the slice's price; of
 * a price without any, all usage is one part without values.
 *
 * Example: grouped by user, presented by team; user 7, team red -> the slice of user 7, its part of team red.
 */
export function presentedPart(
  charge: Pick<Charge, 'metric' | 'filters' | 'pricingGroupKeys' | 'presentationKeys'>,
  dimensions: Dimensions,
  shown: (name: string) => boolean = () => true,
): PresentedPart {
  const { filter, key: slice } = chargeSlice(charge, dimensions);
  const keys = presentationKeys(charge, filter).filter(({ name }) => shown(name));
  const entries = keys.map(({ name }) => [name, dimensions[name] ?? null] as const);
  return {
    slice,
    keys,
    presentedBy: Object.fromEntries(entries),
    key: JSON.stringify([slice, ...entries.map(([, value]) => value)]),
  };
}
