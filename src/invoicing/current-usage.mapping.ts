import { z } from 'zod';
import type { RatedCharge } from '../catalog/rated-plan.js';
import { lastInstant } from '../domain/calendar/period.js';
import { toIso } from '../domain/calendar/instant.js';
import { sumDecimals } from '../domain/money/decimal.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import { sumMinor } from '../domain/money/money.js';
import { metaOf, metaSchema } from '../platform/http/pagination.js';
import type { CurrentUsage } from './current-usage.service.js';
import type { RatedUsage } from './charge-usage.js';
import { presentationAnswer, presentationJson } from './presentation.mapping.js';

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
  presentation_breakdowns: presentationAnswer,
});

const groupUsage = z.object({
  ...usageFields,
  grouped_by: z.record(z.string(), z.string().nullable()),
  filters: z.array(filterUsage),
  presentation_breakdowns: presentationAnswer,
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
        grouped_usage_meta: metaSchema.optional(),
        presentation_breakdowns: presentationAnswer,
      }),
    ),
  })
  .meta({ id: 'CustomerUsage' });

/** A part of the groups of each charge; the charge itself is always whole. */
export interface GroupsPage {
  readonly page: number;
  readonly perPage: number;
}

/** Without a page all groups are listed, as Lago does. */
export function currentUsageJson(usage: CurrentUsage, page: GroupsPage | null): z.infer<typeof currentUsageAnswer> {
  const { currency } = usage.plan.plan;
  const lines = Map.groupBy(usage.lines, (line) => line.charge.row.id);
  return {
    from_datetime: toIso(usage.from),
    to_datetime: toIso(lastInstant(usage)),
    issuing_date: usage.issuingDate,
    currency,
    amount_cents: usage.amountMinor,
    total_amount_cents: usage.amountMinor + usage.taxesAmountMinor,
    taxes_amount_cents: usage.taxesAmountMinor,
    lago_invoice_id: null,
    charges_usage: usage.charges.map((charge) => chargeJson(charge, lines.get(charge.row.id) ?? [], currency, page)),
  };
}

// A charge without filters has one line, the rest; with filters, that rest is listed as the filter without values.
function chargeJson(charge: RatedCharge, lines: RatedUsage[], currency: string, page: GroupsPage | null) {
  const { row, metricRow, filterRows } = charge;
  const groups = groupsOf(lines);
  // Grouped usage is broken down within its group.
  const ungrouped = lines.filter((line) => !isGrouped(line));
  const shown = page === null ? groups : groups.slice((page.page - 1) * page.perPage, page.page * page.perPage);
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
    filters: filterRows.length === 0 ? [] : filtersJson(lines, ungrouped),
    grouped_usage: shown.map((group) => ({
      ...usageJson(group),
      grouped_by: (group[0] as RatedUsage).groupedBy,
      filters: filterRows.length === 0 ? [] : filtersJson(group, group),
      presentation_breakdowns: partsJson(group),
    })),
    presentation_breakdowns: partsJson(ungrouped),
    ...(page !== null && {
      grouped_usage_meta: metaOf({ page: page.page, per_page: page.perPage }, groups.length),
    }),
  };
}

// One entry a filter, whatever its groups; `brokenDown` are the lines whose parts are shown there.
function filtersJson(lines: readonly RatedUsage[], brokenDown: readonly RatedUsage[]) {
  const ids = [...new Set(lines.map((line) => line.filterId))];
  return ids.map((id) => {
    const own = lines.filter((line) => line.filterId === id);
    const filter = own[0]?.charge.filterRows.find((candidate) => candidate.id === id);
    return {
      ...usageJson(own),
      invoice_display_name: filter?.invoiceDisplayName ?? null,
      values: filter?.values ?? null,
      presentation_breakdowns: partsJson(brokenDown.filter((line) => line.filterId === id)),
    };
  });
}

/** The lines of each set of group values, whatever their filters; none for a charge without groups. */
function groupsOf(lines: readonly RatedUsage[]): RatedUsage[][] {
  return [...Map.groupBy(lines.filter(isGrouped), (line) => JSON.stringify(line.groupedBy)).values()];
}

const isGrouped = ({ groupedBy }: RatedUsage) => Object.keys(groupedBy).length > 0;

const partsJson = (lines: readonly RatedUsage[]) => presentationJson(lines.flatMap(({ parts }) => parts));

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
