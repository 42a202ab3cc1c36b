import { type ChargeFilter, type Dimensions, matchFilter } from './charge-filter.js';
import type { Charge } from './plan.js';

/** The part of a charge's usage that is one line of a bill: it has one price and one set of group values. */
export interface ChargeSlice {
  /** `null`: the charge's own price. */
  readonly filter: ChargeFilter | null;
  /** The event's value of each grouping key of that price, `null` where it has none; empty for a price without keys. */
  readonly groupedBy: Dimensions;
  /** Equal for equal slices of one charge. */
  readonly key: string;
}

/**
 * Which slice of a charge usage with these dimensions belongs to (reference 2.3): exactly one. A key by which usage is
 * grouped keeps every value, also one that the metric does not declare for its filters; no filter takes such a value.
 *
 * Example: filter on region eu, grouped by user; region eu, user 7 -> that filter, grouped by user 7.
 */
export function chargeSlice(
  charge: Pick<Charge, 'metric' | 'filters' | 'pricingGroupKeys'>,
  dimensions: Dimensions,
): ChargeSlice {
  const filter = matchFilter(charge.filters, declared(charge.metric.filters, dimensions));
  const keys = (filter === null ? charge.pricingGroupKeys : filter.pricingGroupKeys) ?? [];
  const groupedBy = Object.fromEntries(keys.map((key) => [key, dimensions[key] ?? null]));
  return { filter, groupedBy, key: JSON.stringify([filter?.id ?? null, ...keys.map((key) => groupedBy[key])]) };
}

function declared(filters: Charge['metric']['filters'], dimensions: Dimensions): Dimensions {
  return Object.fromEntries(
    filters.map(({ key, values }) => {
      const value = dimensions[key] ?? null;
      return [key, value !== null && values.includes(value) ? value : null];
    }),
  );
}
