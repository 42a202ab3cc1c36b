import {
  type ChargeModelKind,
  defaultChargeProperties,
  isChargeModelKind,
  parseChargeProperties,
} from '../domain/catalog/charge.js';
import { ALL_FILTER_VALUES } from '../domain/catalog/charge-filter.js';
import { ERROR_CODES, type ErrorCode, validationFailed } from '../platform/http/errors.js';
import type { BillableMetricRow } from './billable-metric.entity.js';
import type { ChargeInput } from './plan.input.js';

/** Which properties each model keeps; others that come with the request are dropped, as Lago does. */
const KEPT_PROPERTIES: Partial<Record<ChargeModelKind, readonly string[]>> = {
  standard: ['amount'],
  graduated: ['graduated_ranges'],
  graduated_percentage: ['graduated_percentage_ranges'],
  package: ['amount', 'free_units', 'package_size'],
  percentage: [
    'rate',
    'fixed_amount',
    'free_units_per_events',
    'free_units_per_total_aggregation',
    'per_transaction_min_amount',
    'per_transaction_max_amount',
  ],
  volume: ['volume_ranges'],
};

/** Prices by group give one fee per group; until rating does that, asking for it is refused. */
const REFUSED_PROPERTIES = ['pricing_group_keys', 'grouped_by', 'presentation_group_keys'];

export interface ChargeTerms {
  readonly model: ChargeModelKind;
  readonly properties: Record<string, unknown>;
  readonly filters: readonly FilterTerms[];
}

export interface FilterTerms {
  readonly invoiceDisplayName: string | null;
  readonly properties: Record<string, unknown>;
  readonly values: Record<string, string[]>;
}

/**
 * The price a charge asks for, checked against the domain's rules and the metric's declared dimensions.
 * @throws 422 with Lago's codes under `charge_model`, `properties` or `values`.
 */
export function chargeTerms(input: ChargeInput, metric: BillableMetricRow): ChargeTerms {
  const model = input.charge_model;
  if (!isChargeModelKind(model) || KEPT_PROPERTIES[model] === undefined) {
    throw validationFailed({ charge_model: ['value_is_invalid'] });
  }
  return {
    model,
    properties: priceProperties(model, input.properties),
    filters: (input.filters ?? []).map((filter) => ({
      invoiceDisplayName: filter.invoice_display_name ?? null,
      properties: priceProperties(model, filter.properties),
      values: declaredValues(filter.values, metric),
    })),
  };
}

function priceProperties(model: ChargeModelKind, given: Record<string, unknown> | null | undefined) {
  const refused = REFUSED_PROPERTIES.some((key) => isGiven(given?.[key]));
  if (refused) throw validationFailed({ properties: ['value_is_invalid'] });
  const kept = (KEPT_PROPERTIES[model] ?? []).filter((key) => given?.[key] !== undefined);
  const properties =
    kept.length === 0 && isEmpty(given)
      ? defaultChargeProperties(model)
      : Object.fromEntries(kept.map((key) => [key, given?.[key]]));
  if (!isOfReasonableSize(properties)) throw validationFailed({ properties: ['value_is_out_of_range'] });
  const parsed = parseChargeProperties(model, properties);
  if (parsed.ok) return properties;
  const details = Object.entries(parsed.errors).map(([field, codes]) => [field, codes.map(known)] as const);
  throw validationFailed(Object.fromEntries(details));
}

function known(code: string): ErrorCode {
  return code in ERROR_CODES ? (code as ErrorCode) : 'value_is_invalid';
}

function isGiven(value: unknown): boolean {
  return value != null && !(Array.isArray(value) && value.length === 0);
}

function isEmpty(value: Record<string, unknown> | null | undefined): boolean {
  return value == null || Object.keys(value).length === 0;
}

/** Fifteen digits before the point and fifteen after are what Lago keeps of a price; amounts beyond fit no invoice. */
const REASONABLE_TEXT = /^[^.]{0,16}(\.[^.]{0,15})?$/;
const REASONABLE_NUMBER = 1e15;
const MAX_RANGES = 1000;

function isOfReasonableSize(value: unknown): boolean {
  if (typeof value === 'string') return REASONABLE_TEXT.test(value);
  if (typeof value === 'number') return Math.abs(value) <= REASONABLE_NUMBER;
  if (Array.isArray(value)) return value.length <= MAX_RANGES && value.every(isOfReasonableSize);
  return value === null || typeof value !== 'object' || Object.values(value).every(isOfReasonableSize);
}

function declaredValues(values: Record<string, string[]>, metric: BillableMetricRow): Record<string, string[]> {
  const declared = new Map(metric.filters.map((filter) => [filter.key, filter.values]));
  const entries = Object.entries(values);
  const areDeclared = entries.every(([key, wanted]) => {
    const known = declared.get(key);
    return known && wanted.every((value) => value === ALL_FILTER_VALUES || known.includes(value));
  });
  if (entries.length === 0) throw validationFailed({ values: ['value_is_mandatory'] });
  if (!areDeclared) throw validationFailed({ values: ['value_is_invalid'] });
  return Object.fromEntries(entries.map(([key, wanted]) => [key, [...new Set(wanted)]]));
}
