import type { ChargeModel } from './charge.js';

/** In a filter: any value that the metric declares for this key. */
export const ALL_FILTER_VALUES = '__ALL_FILTER_VALUES__';

/** Another price for a part of the usage: every key must be met, by any one of its values. */
export interface ChargeFilter {
  readonly id: string;
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly model: ChargeModel;
  readonly invoiceDisplayName?: string | null;
  /** The filter's own; the charge's are not inherited. */
  readonly pricingGroupKeys?: readonly string[];
  /** Without any the charge's apply. */
  readonly presentationKeys?: readonly PresentationKey[];
}

/** An event property by whose values the units of a price are shown apart. It has no effect on what they cost. */
export interface PresentationKey {
  readonly name: string;
  /** False: shown with usage, and left out of fees. */
  readonly onFees: boolean;
}

/** The dimension values of an event or of a usage bucket; `null` where the event has no declared value. */
export type Dimensions = Readonly<Record<string, string | null>>;

/**
 * The filter that prices usage with these dimensions: the matching one with most keys, then with fewest values, then the first;
 * `null` means the charge's own price (reference 2.3). Usage therefore belongs to exactly one price.
 */
export function matchFilter<Filter extends Pick<ChargeFilter, 'values'>>(
  filters: readonly Filter[],
  dimensions: Dimensions,
): Filter | null {
  let best: Filter | null = null;
  for (const filter of filters) {
    if (matches(filter, dimensions) && (best === null || isMoreSpecific(filter, best))) best = filter;
  }
  return best;
}

/** More keys; of as many keys, fewer combinations of values: a filter for `aws` takes its events from one for `aws, gcp`. */
function isMoreSpecific(filter: Pick<ChargeFilter, 'values'>, other: Pick<ChargeFilter, 'values'>): boolean {
  const keys = Object.keys(filter.values).length - Object.keys(other.values).length;
  return keys === 0 ? combinations(filter) < combinations(other) : keys > 0;
}

function combinations({ values }: Pick<ChargeFilter, 'values'>): number {
  return Object.values(values).reduce(
    (product, accepted) => product * (accepted.includes(ALL_FILTER_VALUES) ? Infinity : accepted.length),
    1,
  );
}

function matches(filter: Pick<ChargeFilter, 'values'>, dimensions: Dimensions): boolean {
  return Object.entries(filter.values).every(([key, accepted]) => {
    const value = dimensions[key] ?? null;
    return value !== null && (accepted.includes(value) || accepted.includes(ALL_FILTER_VALUES));
  });
}
