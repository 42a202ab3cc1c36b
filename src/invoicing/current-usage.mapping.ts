import { z } from 'zod';
import { lastInstant } from '../domain/calendar/period.js';
import { toIso } from '../domain/calendar/instant.js';
import { sumDecimals } from '../domain/money/decimal.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import { sumMinor } from '../domain/money/money.js';
import type { CurrentUsage } from './current-usage.service.js';
import type { RatedUsage } from './charge-usage.js';

const usageFields = {
  units: z.string(),
  total_aggregated_units: z.string(),
  events_count: z.int(),
  amount_cents: z.int(),
  pricing_unit_details: z.null(),
};

const filterUsage = z.object({
  ...usageFields,
  invoice_display_name: z.string().nullable(),
  values: z.record(z.string(), z.array(z.string())).nullable(),
  presentation_breakdowns: z.array(z.unknown()),
});

const groupUsage = z.object({
  ...usageFields,
  grouped_by: z.record(z.string(), z.string().nullable()),
  filters: z.array(filterUsage),
});

/** Lago's CustomerUsage (lago-api.md 3.6). */
export const currentUsageAnswer = z
  .object({
    from_datetime: z.string(),
    to_datetime: z.string(),
    issuing_date: z.string(),
    currency: z.string(),
    amount_cents: z.int(),
    total_amount_cents: z.int(),
    taxes_amount_cents: z.int(),
    lago_invoice_id: z.null(),
    charges_usage: z.array(
      z.object({
        ...usageFields,
        amount_currency: z.string(),
        charge: z.object({
          lago_id: z.uuid(),
          code: z.string(),
          charge_model: z.string(),
          invoice_display_name: z.string().nullable(),
        }),
        billable_metric: z.object({
          lago_id: z.uuid(),
          name: z.string(),
          code: z.string(),
          aggregation_type: z.string(),
        }),
        filters: z.array(filterUsage),
        grouped_usage: z.array(groupUsage),
        presentation_breakdowns: z.array(z.unknown()),
      }),
    ),
  })
  .meta({ id: 'CustomerUsage' });

export function currentUsageJson(usage: CurrentUsage): z.infer<typeof currentUsageAnswer> {
  const { currency } = usage.plan.plan;
  return {
    from_datetime: toIso(usage.from),
    to_datetime: toIso(lastInstant(usage)),
    issuing_date: usage.issuingDate,
    currency,
    amount_cents: usage.amountMinor,
    total_amount_cents: usage.amountMinor + usage.taxesAmountMinor,
    taxes_amount_cents: usage.taxesAmountMinor,
    lago_invoice_id: null,
    charges_usage: chargesOf(usage.lines).map((lines) => chargeJson(lines, currency)),
  };
}

function chargesOf(lines: readonly RatedUsage[]): RatedUsage[][] {
  const byCharge = new Map<string, RatedUsage[]>();
  for (const line of lines) {
    const { id } = line.charge.row;
    byCharge.set(id, [...(byCharge.get(id) ?? []), line]);
  }
  return [...byCharge.values()];
}

// A charge without filters has one line, the rest; with filters, that rest is listed as the filter without values.
function chargeJson(lines: RatedUsage[], currency: string) {
  const { row, metricRow, filterRows } = (lines[0] as RatedUsage).charge;
  return {
    ...usageJson(lines),
    amount_currency: currency,
    charge: {
      lago_id: row.id,
      code: row.code,
      charge_model: row.chargeModel,
      invoice_display_name: row.invoiceDisplayName ?? null,
    },
    billable_metric: {
      lago_id: metricRow.id,
      name: metricRow.name,
      code: metricRow.code,
      aggregation_type: metricRow.aggregationType,
    },
    filters: filterRows.length === 0 ? [] : filtersJson(lines),
    grouped_usage: groupsOf(lines).map((group) => ({
      ...usageJson(group),
      grouped_by: (group[0] as RatedUsage).groupedBy,
      filters: filterRows.length === 0 ? [] : filtersJson(group),
    })),
    presentation_breakdowns: [],
  };
}

// One entry a filter, whatever its groups.
function filtersJson(lines: readonly RatedUsage[]) {
  const ids = [...new Set(lines.map((line) => line.filterId))];
  return ids.map((id) => {
    const own = lines.filter((line) => line.filterId === id);
    const filter = own[0]?.charge.filterRows.find((candidate) => candidate.id === id);
    return {
      ...usageJson(own),
      invoice_display_name: filter?.invoiceDisplayName ?? null,
      values: filter?.values ?? null,
      presentation_breakdowns: [],
    };
  });
}

/** The lines of each set of group values, whatever their filters; none for a charge without groups. */
function groupsOf(lines: readonly RatedUsage[]): RatedUsage[][] {
  const groups = new Map<string, RatedUsage[]>();
  for (const line of lines) {
    if (Object.keys(line.groupedBy).length === 0) continue;
    const key = JSON.stringify(line.groupedBy);
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()];
}

function usageJson(lines: readonly RatedUsage[]) {
  const units = railsDecimal(sumDecimals(lines.map((line) => line.shownUnits)));
  return {
    units,
    total_aggregated_units: railsDecimal(
      sumDecimals(lines.map((line) => line.usage.totalAggregatedUnits ?? line.shownUnits)),
    ),
    events_count: lines.reduce((sum, line) => sum + line.usage.eventsCount, 0),
    amount_cents: sumMinor(lines.map((line) => line.amountMinor)),
    pricing_unit_details: null,
  };
}
