import type { RatedUsage } from './charge-usage.js';

/** What priced usage: a charge's filter, or the charge itself, for one group. */
export type PricedBy = Pick<RatedUsage, 'charge' | 'filterId' | 'groupedBy'>;

/** What the API shows as `item` of a charge's fee (lago-api.md 3.6): its metric, and the filter and group that the usage is of. */
export function chargeItem({ charge, filterId, groupedBy }: PricedBy): Record<string, unknown> {
  const filter = charge.filterRows.find((row) => row.id === filterId);
  return {
    type: 'charge',
    code: charge.metricRow.code,
    name: charge.metricRow.name,
    description: charge.metricRow.description ?? null,
    invoice_display_name: charge.row.invoiceDisplayName ?? charge.metricRow.name,
    filters: filter?.values ?? null,
    filter_invoice_display_name:
      filter === undefined ? null : (filter.invoiceDisplayName ?? Object.values(filter.values).flat().join(', ')),
    lago_item_id: charge.metricRow.id,
    item_type: 'BillableMetric',
    grouped_by: groupedBy,
  };
}

/** The price that a fee was computed from. */
export function chargePrice({ charge, filterId }: Omit<PricedBy, 'groupedBy'>): Record<string, unknown> {
  const filter = charge.filterRows.find((row) => row.id === filterId);
  return { kind: charge.row.chargeModel, properties: filter?.properties ?? charge.row.properties };
}
