import type { EntityManager } from '../platform/database/database.js';
import { presentationKeysOf, pricingGroupKeys } from './charge-terms.js';
import type { MetricDefinitions } from './ports.js';

/** A price as it was written: a charge's, a filter's, or one that a subscription has of its own. */
interface WrittenPrice {
  readonly properties: Record<string, unknown>;
}

/**
 * To be called by whoever writes prices, in the same transaction and behind the flush: metering has to tell usage apart by
 * what prices are grouped and presented by.
 */
export async function groupUsage(
  em: EntityManager,
  definitions: MetricDefinitions,
  metric: { readonly organizationId: string; readonly billableMetricId: string },
  prices: readonly WrittenPrice[],
): Promise<void> {
  const keys = [...new Set(prices.flatMap(({ properties }) => keysOf(properties)))];
  if (keys.length > 0) await definitions.groupedBy(em, metric.organizationId, metric.billableMetricId, keys);
}

function keysOf(properties: WrittenPrice['properties']): string[] {
  return [...pricingGroupKeys(properties), ...presentationKeysOf(properties).map(({ name }) => name)];
}
