import { z } from 'zod';
import { Decimal, sumDecimals } from '../domain/money/decimal.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import { sumMinor } from '../domain/money/money.js';
import { isoSeconds, lastMoment } from '../platform/http/format.js';
import { currentUsageAnswer } from './current-usage.mapping.js';
import type { FeeRow } from './fee.entity.js';
import type { PastChargeUsage, PastUsage } from './past-usage.service.js';

/** As CustomerUsage, of a period that is billed. */
export const pastUsageAnswer = currentUsageAnswer.extend({ lago_invoice_id: z.uuid() }).meta({ id: 'PastUsage' });

export function pastUsageJson({ period, invoice, charges }: PastUsage): z.infer<typeof pastUsageAnswer> {
  const fees = charges.flatMap((charge) => charge.fees);
  const amount = sumMinor(fees.map((fee) => fee.amountCents));
  const taxes = sumMinor(fees.map((fee) => fee.taxesAmountCents));
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

function chargeJson({ charge, metric, fees }: PastChargeUsage) {
  const isFiltered = fees.some((fee) => fee.chargeFilterId != null);
  return {
    ...usageJson(fees),
    amount_currency: fees[0]!.amountCurrency,
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
    filters: isFiltered ? filtersJson(fees) : [],
    grouped_usage: parts(
      fees.filter((fee) => Object.keys(fee.groupedBy).length > 0),
      (fee) => JSON.stringify(fee.groupedBy),
    ).map((group) => ({
      ...usageJson(group),
      grouped_by: group[0]!.groupedBy,
      filters: isFiltered ? filtersJson(group) : [],
    })),
    presentation_breakdowns: [],
  };
}

function filtersJson(fees: readonly FeeRow[]) {
  return parts(fees, (fee) => fee.chargeFilterId ?? '').map((own) => ({
    ...usageJson(own),
    invoice_display_name: (own[0]!.item.filter_invoice_display_name as string | null) ?? null,
    values: (own[0]!.item.filters as Record<string, string[]> | null) ?? null,
    presentation_breakdowns: [],
  }));
}

function parts(fees: readonly FeeRow[], keyOf: (fee: FeeRow) => string): FeeRow[][] {
  const keys = [...new Set(fees.map(keyOf))];
  return keys.map((key) => fees.filter((fee) => keyOf(fee) === key));
}

function usageJson(fees: readonly FeeRow[]) {
  return {
    units: railsDecimal(sumDecimals(fees.map((fee) => new Decimal(fee.units)))),
    total_aggregated_units: railsDecimal(
      sumDecimals(fees.map((fee) => new Decimal(fee.totalAggregatedUnits ?? fee.units))),
    ),
    events_count: fees.reduce((sum, fee) => sum + (fee.eventsCount ?? 0), 0),
    amount_cents: sumMinor(fees.map((fee) => fee.amountCents)),
    pricing_unit_details: null,
  };
}
