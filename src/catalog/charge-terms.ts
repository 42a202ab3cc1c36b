import { type AggregationKind, mayRecur } from '../domain/catalog/billable-metric.js';
import {
  type ChargeModelKind,
  defaultChargeProperties,
  isChargeModelKind,
  parseChargeProperties,
} from '../domain/catalog/charge.js';
import { ALL_FILTER_VALUES, type PresentationKey } from '../domain/catalog/charge-filter.js';
import { ERROR_CODES, type ErrorCode, type ErrorDetails, validationFailed } from '../platform/http/errors.js';
import type { BillableMetricRow } from './billable-metric.entity.js';

type Properties = Record<string, unknown>;

/** Which properties each model keeps; others that come with the request are dropped, as Lago does. */
const KEPT_PROPERTIES: Record<ChargeModelKind, readonly string[]> = {
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
  dynamic: [],
};

/** The two kinds of grouping keys of a price, beside its model's own properties. */
const PRICING_KEYS = 'pricing_group_keys';
const OLD_PRICING_KEYS = 'grouped_by';
const PRESENTATION_KEYS = 'presentation_group_keys';
const MAX_PRICING_KEYS = 20;
const MAX_PRESENTATION_KEYS = 2;

/** What decides how a charge is billed, beside its price. */
export interface BillingTerms {
  readonly model: ChargeModelKind;
  readonly payInAdvance: boolean;
  readonly prorated: boolean;
  readonly invoiceable: boolean;
  readonly regroupPaidFees: string | null;
  readonly minAmountCents: number;
}

export interface FilterTerms {
  readonly invoiceDisplayName: string | null;
  readonly properties: Properties;
  readonly values: Record<string, string[]>;
}

export interface FilterInput {
  readonly invoice_display_name?: string | null | undefined;
  readonly properties?: Properties | null | undefined;
  readonly values: Record<string, string[]>;
}

/** @throws 422 `charge_model: value_is_invalid` when no such model is known. */
export function chargeModel(value: string): ChargeModelKind {
  if (!isChargeModelKind(value)) throw validationFailed({ charge_model: ['value_is_invalid'] });
  return value;
}

const PAYABLE_IN_ADVANCE = new Set(['count_agg', 'sum_agg', 'unique_count_agg']);
const PRORATED_IN_ARREARS = new Set<ChargeModelKind>(['standard', 'graduated', 'volume']);

/**
 * Whether a metric can be billed on these terms (lago-api.md 1.3 and 2.4).
 * @throws 422 `value_is_invalid` under every field that contradicts the others.
 */
export function requireBillable(terms: BillingTerms, metric: BillableMetricRow): void {
  const details: Record<string, ErrorCode[]> = {};
  const refuse = (field: string) => (details[field] = ['value_is_invalid']);
  const { model, payInAdvance, prorated } = terms;
  if (model === 'dynamic' && metric.aggregationType !== 'sum_agg') refuse('charge_model');
  if (payInAdvance && (model === 'volume' || !PAYABLE_IN_ADVANCE.has(metric.aggregationType))) refuse('pay_in_advance');
  if (prorated) {
    const recurs =
      metric.recurring &&
      mayRecur(metric.aggregationType as AggregationKind) &&
      metric.aggregationType !== 'weighted_sum_agg';
    const isOfModel = payInAdvance ? model === 'standard' : PRORATED_IN_ARREARS.has(model);
    if (!recurs || !isOfModel) refuse('prorated');
  }
  if (!payInAdvance && !terms.invoiceable) refuse('invoiceable');
  if (terms.regroupPaidFees !== null && (!payInAdvance || terms.invoiceable)) refuse('regroup_paid_fees');
  if (payInAdvance && terms.minAmountCents > 0) refuse('min_amount_cents');
  if (Object.keys(details).length > 0) throw validationFailed(details satisfies ErrorDetails);
}

/**
 * The properties that are kept of those that came: the model's own and the grouping keys. Without any the model's neutral
 * ones, which cost nothing.
 * @throws 422 with Lago's codes under `properties` (lago-api.md 2.4).
 */
export function priceProperties(model: ChargeModelKind, given: Properties | null | undefined): Properties {
  const kept = KEPT_PROPERTIES[model].filter((key) => given?.[key] !== undefined);
  const price =
    kept.length === 0 && isOnlyGrouped(given)
      ? defaultChargeProperties(model)
      : Object.fromEntries(kept.map((key) => [key, given?.[key]]));
  if (!isOfReasonableSize(price)) throw validationFailed({ properties: ['value_is_out_of_range'] });
  const parsed = parseChargeProperties(model, price);
  if (!parsed.ok) {
    const details = Object.entries(parsed.errors).map(([field, codes]) => [field, codes.map(known)] as const);
    throw validationFailed(Object.fromEntries(details));
  }
  return { ...price, ...groupingKeys(given) };
}

/** One fee for every set of values of these event properties; none without any. */
export function pricingGroupKeys(properties: Properties): string[] {
  return keysAt(properties, PRICING_KEYS);
}

/** Units are shown apart by the values of these event properties. An option of a key may keep it off fees. */
export function presentationKeysOf(properties: Properties): PresentationKey[] {
  const items = properties[PRESENTATION_KEYS];
  const hidden = new Set(Array.isArray(items) ? items.filter(isOffFees).map(nameOfKey) : []);
  return keysAt(properties, PRESENTATION_KEYS).map((name) => ({ name, onFees: !hidden.has(name) }));
}

/** As Lago shows properties: the old name of the grouping keys beside the new one. */
export function shownProperties(properties: Properties): Properties {
  const keys = pricingGroupKeys(properties);
  return keys.length === 0 ? properties : { ...properties, [OLD_PRICING_KEYS]: keys };
}

/**
 * A price of its own for events with these dimension values, checked against what the metric declares.
 * @throws 422 with Lago's codes under `properties` or `values`.
 */
export function filterTerms(filter: FilterInput, model: ChargeModelKind, metric: BillableMetricRow): FilterTerms {
  return {
    invoiceDisplayName: filter.invoice_display_name ?? null,
    properties: priceProperties(model, filter.properties),
    values: declaredValues(filter.values, metric),
  };
}

function groupingKeys(given: Properties | null | undefined): Properties {
  const pricing = keysAt(given, PRICING_KEYS, MAX_PRICING_KEYS);
  const former = keysAt(given, OLD_PRICING_KEYS, MAX_PRICING_KEYS);
  const shown = keysAt(given, PRESENTATION_KEYS, MAX_PRESENTATION_KEYS);
  const grouping = pricing.length > 0 ? pricing : former;
  return {
    ...(grouping.length > 0 && { [PRICING_KEYS]: grouping }),
    ...(shown.length > 0 && { [PRESENTATION_KEYS]: given?.[PRESENTATION_KEYS] }),
  };
}

function keysAt(given: Properties | null | undefined, name: string, most = Infinity): string[] {
  const value = given?.[name];
  if (value === undefined || value === null || value === '') return [];
  const items: unknown[] = Array.isArray(value) ? value : [value];
  const keys = name === PRESENTATION_KEYS ? items.map(nameOfKey) : items;
  const areNames = keys.every((key) => typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_LENGTH);
  if (!Array.isArray(value) || !areNames || keys.length > most) {
    throw validationFailed({ properties: ['value_is_invalid'] });
  }
  return [...new Set(keys as string[])];
}

const MAX_KEY_LENGTH = 255;

// A presentation key may come as an object with its options, of which `value` is the property's name.
function nameOfKey(item: unknown): unknown {
  return isObject(item) && 'value' in item ? item['value'] : item;
}

function isOffFees(item: unknown): boolean {
  return isObject(item) && isObject(item['options']) && item['options']['display_in_invoice'] === false;
}

function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null;
}

function known(code: string): ErrorCode {
  return code in ERROR_CODES ? (code as ErrorCode) : 'value_is_invalid';
}

const GROUPING = new Set([PRICING_KEYS, OLD_PRICING_KEYS, PRESENTATION_KEYS]);

function isOnlyGrouped(value: Properties | null | undefined): boolean {
  return value == null || Object.keys(value).every((key) => GROUPING.has(key));
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
