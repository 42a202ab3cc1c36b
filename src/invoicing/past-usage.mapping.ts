import { z } from 'zod';
import { sumDecimals } from '../domain/money/decimal.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import { sumMinor } from '../domain/money/money.js';
import { isoSeconds, lastMoment } from '../platform/http/format.js';
import { currentUsageAnswer } from './current-usage.mapping.js';
import { presentationJson } from './presentation.mapping.js';
import type { PastChargeUsage, PastUsage, PastUsageLine } from './past-usage.service.js';

/** As CustomerUsage, of a period that is billed. */
export const pastUsageAnswer = currentUsageAnswer.extend({ lago_invoice_id: z.uuid() }).meta({ id: 'PastUsage' });

export function pastUsageJson({ period, invoice, charges }: PastUsage): z.infer<typeof pastUsageAnswer> {
  const lines = charges.flatMap((charge) => charge.lines);
  const amount = sumMinor(lines.map((line) => line.amountMinor));
  const taxes = sumMinor(lines.map((line) => line.taxesAmountMinor));
  return {
    from_datetime: isoSeconds(period.chargesFromAt) ?? '',
    to_datetime: isoSeconds(lastMoment(period.chargesToAt ?? null)) ?? '',
    issuing_date: invoice.issuingDate ?? '',
    currency: invoice.currency,
    amount_cents: amount,
    total_amount_cents: amount + taxes,
    taxes_amount_cents: taxes,
    lago_invoice_id: invoice.id,
    charges_usage: charges.map(chargeJson),
  };
}

function chargeJson({ charge, metric, lines }: PastChargeUsage) {
  const ungrouped = lines.filter(({ fee }) => Object.keys(fee.groupedBy).length === 0);
  const isFiltered = lines.some(({ fee }) => fee.chargeFilterId != null);
  return {
    ...usageJson(lines),
    amount_currency: lines[0]!.fee.amountCurrency,
    charge: {
      lago_id: charge.id,
      code: charge.code,
      charge_model: charge.chargeModel,
      invoice_display_name: charge.invoiceDisplayName ?? null,
    },
    billable_metric: {
      lago_id: metric.id,
      name: metric.name,
      code: metric.code,
      aggregation_type: metric.aggregationType,
    },
    filters: isFiltered ? filtersJson(lines, ungrouped) : [],
    grouped_usage: parts(
      lines.filter((line) => !ungrouped.includes(line)),
      ({ fee }) => JSON.stringify(fee.groupedBy),
    ).map((group) => ({
      ...usageJson(group),
      grouped_by: group[0]!.fee.groupedBy,
      filters: isFiltered ? filtersJson(group, group) : [],
      presentation_breakdowns: partsJson(group),
    })),
    presentation_breakdowns: partsJson(ungrouped),
  };
}

function filtersJson(lines: readonly PastUsageLine[], brokenDown: readonly PastUsageLine[]) {
  return parts(lines, ({ fee }) => fee.chargeFilterId ?? '').map((own) => ({
    ...usageJson(own),
    invoice_display_name: (own[0]!.fee.item.filter_invoice_display_name as string | null) ?? null,
    values: (own[0]!.fee.item.filters as Record<string, string[]> | null) ?? null,
    presentation_breakdowns: partsJson(brokenDown.filter((line) => own.includes(line))),
  }));
}

const partsJson = (lines: readonly PastUsageLine[]) => presentationJson(lines.flatMap((line) => line.parts));

function parts(lines: readonly PastUsageLine[], keyOf: (line: PastUsageLine) => string): PastUsageLine[][] {
  const keys = [...new Set(lines.map(keyOf))];
  return keys.map((key) => lines.filter((line) => keyOf(line) === key));
}

function usageJson(lines: readonly PastUsageLine[]) {
  return {
    units: railsDecimal(sumDecimals(lines.map(({ units }) => units))),
    total_aggregated_units: railsDecimal(sumDecimals(lines.map((line) => line.totalAggregatedUnits))),
    events_count: lines.reduce((sum, line) => sum + line.eventsCount, 0),
    amount_cents: sumMinor(lines.map((line) => line.amountMinor)),
    pricing_unit_details: null,
  };
}
