import { Decimal, ZERO } from '../money/decimal.js';

export const CHARGE_MODELS = [
  'standard',
  'graduated',
  'graduated_percentage',
  'package',
  'percentage',
  'volume',
  'dynamic',
] as const;
export type ChargeModelKind = (typeof CHARGE_MODELS)[number];

/** Bounds are inclusive; `toValue: null` is the last, open range. */
export interface PricedRange {
  readonly fromValue: Decimal;
  readonly toValue: Decimal | null;
  readonly perUnitAmount: Decimal;
  readonly flatAmount: Decimal;
}

export interface RatedRange {
  readonly fromValue: Decimal;
  readonly toValue: Decimal | null;
  /** Percent. */
  readonly rate: Decimal;
  readonly flatAmount: Decimal;
}

export interface StandardModel {
  readonly kind: 'standard';
  readonly amount: Decimal;
}
export interface GraduatedModel {
  readonly kind: 'graduated';
  readonly ranges: readonly PricedRange[];
}
export interface GraduatedPercentageModel {
  readonly kind: 'graduated_percentage';
  readonly ranges: readonly RatedRange[];
}
export interface PackageModel {
  readonly kind: 'package';
  readonly amount: Decimal;
  readonly freeUnits: Decimal;
  readonly packageSize: Decimal;
}
export interface PercentageModel {
  readonly kind: 'percentage';
  /** Percent. */
  readonly rate: Decimal;
  readonly fixedAmount: Decimal;
  readonly freeUnitsPerEvents: number | null;
  readonly freeUnitsPerTotalAggregation: Decimal | null;
  readonly perTransactionMinAmount: Decimal | null;
  readonly perTransactionMaxAmount: Decimal | null;
}
export interface VolumeModel {
  readonly kind: 'volume';
  readonly ranges: readonly PricedRange[];
}
export interface DynamicModel {
  readonly kind: 'dynamic';
}

/** A price, parsed. Amounts are in currency units. */
export type ChargeModel =
  | StandardModel
  | GraduatedModel
  | GraduatedPercentageModel
  | PackageModel
  | PercentageModel
  | VolumeModel
  | DynamicModel;

export type ChargeErrors = Readonly<Record<string, readonly string[]>>;
export type ParsedCharge =
  { readonly ok: true; readonly model: ChargeModel } | { readonly ok: false; readonly errors: ChargeErrors };

type Properties = Readonly<Record<string, unknown>>;

export function isChargeModelKind(value: unknown): value is ChargeModelKind {
  return CHARGE_MODELS.some((kind) => kind === value);
}

/**
 * Reads the properties of a charge as the API receives them. Amounts and rates must be strings with a decimal that is
 * not negative (a JSON number may already have lost digits). Every fault found is reported, as Lago's code under
 * `properties` (reference 2.4); an unknown model as `charge_model: value_is_invalid`.
 */
export function parseChargeProperties(kind: string, properties: Properties | null | undefined): ParsedCharge {
  if (!isChargeModelKind(kind)) return { ok: false, errors: { charge_model: ['value_is_invalid'] } };
  const faults: string[] = [];
  const model = parseModel(kind, properties ?? {}, faults);
  return faults.length > 0 ? { ok: false, errors: { properties: [...new Set(faults)] } } : { ok: true, model };
}

/** What a charge without properties gets: free of charge until it is priced. */
export function defaultChargeProperties(kind: ChargeModelKind): Record<string, unknown> {
  const range = { from_value: 0, to_value: null, flat_amount: '0' };
  switch (kind) {
    case 'standard':
      return { amount: '0' };
    case 'graduated':
      return { graduated_ranges: [{ ...range, per_unit_amount: '0' }] };
    case 'graduated_percentage':
      return { graduated_percentage_ranges: [{ ...range, rate: '0' }] };
    case 'package':
      return { package_size: 1, amount: '0', free_units: 0 };
    case 'percentage':
      return { rate: '0' };
    case 'volume':
      return { volume_ranges: [{ ...range, per_unit_amount: '0' }] };
    case 'dynamic':
      return {};
    default:
      return kind satisfies never;
  }
}

function parseModel(kind: ChargeModelKind, properties: Properties, faults: string[]): ChargeModel {
  switch (kind) {
    case 'standard':
      return { kind, amount: required(properties['amount'], 'invalid_amount', faults) };
    case 'graduated':
      return { kind, ranges: pricedRanges(properties, 'graduated_ranges', faults) };
    case 'graduated_percentage':
      return { kind, ranges: ratedRanges(properties, faults) };
    case 'package':
      return parsePackage(properties, faults);
    case 'percentage':
      return parsePercentage(properties, faults);
    case 'volume':
      return { kind, ranges: pricedRanges(properties, 'volume_ranges', faults) };
    case 'dynamic':
      return { kind };
    default:
      return kind satisfies never;
  }
}

function parsePackage(properties: Properties, faults: string[]): PackageModel {
  const amount = required(properties['amount'], 'invalid_amount', faults);
  const freeUnits = integer(properties['free_units'] ?? 0);
  const packageSize = integer(properties['package_size']);
  if (freeUnits === null || freeUnits < 0) faults.push('invalid_free_units');
  if (packageSize === null || packageSize <= 0) faults.push('invalid_package_size');
  return {
    kind: 'package',
    amount,
    freeUnits: new Decimal(freeUnits ?? 0),
    packageSize: new Decimal(packageSize ?? 1),
  };
}

function parsePercentage(properties: Properties, faults: string[]): PercentageModel {
  const events = properties['free_units_per_events'];
  const freeEvents = isBlank(events) ? null : integer(events);
  if (!isBlank(events) && (freeEvents === null || freeEvents < 0)) faults.push('invalid_free_units_per_events');

  const minimum = optional(properties['per_transaction_min_amount'], 'invalid_amount', faults);
  const maximum = optional(properties['per_transaction_max_amount'], 'invalid_amount', faults);
  if (minimum && maximum && maximum.lessThan(minimum)) {
    faults.push('per_transaction_max_lower_than_per_transaction_min');
  }
  const freeTotal = properties['free_units_per_total_aggregation'];
  return {
    kind: 'percentage',
    rate: required(properties['rate'], 'invalid_rate', faults),
    fixedAmount: optional(properties['fixed_amount'], 'invalid_fixed_amount', faults) ?? ZERO,
    freeUnitsPerEvents: freeEvents,
    freeUnitsPerTotalAggregation: optional(freeTotal, 'invalid_free_units_per_total_aggregation', faults),
    perTransactionMinAmount: minimum,
    perTransactionMaxAmount: maximum,
  };
}

function pricedRanges(properties: Properties, key: string, faults: string[]): PricedRange[] {
  return ranges(properties, key, faults, (range, bounds) => ({
    ...bounds,
    perUnitAmount: required(range['per_unit_amount'], 'invalid_amount', faults),
    flatAmount: required(range['flat_amount'], 'invalid_amount', faults),
  }));
}

function ratedRanges(properties: Properties, faults: string[]): RatedRange[] {
  return ranges(properties, 'graduated_percentage_ranges', faults, (range, bounds) => ({
    ...bounds,
    rate: required(range['rate'], 'invalid_rate', faults),
    flatAmount: required(range['flat_amount'], 'invalid_amount', faults),
  }));
}

interface Bounds {
  readonly fromValue: Decimal;
  readonly toValue: Decimal | null;
}

/** Ranges start at 0, follow each other by one (0-10, 11-20) or touching (0-0.5, 0.5-1), and the last one is open. */
function ranges<Range>(
  properties: Properties,
  key: string,
  faults: string[],
  read: (range: Properties, bounds: Bounds) => Range,
): Range[] {
  const given = properties[key];
  if (!Array.isArray(given) || given.length === 0) {
    faults.push(`missing_${key}`);
    return [];
  }
  let previousTo: Decimal | null = null;
  return given.map((item: unknown, index) => {
    const range: Properties = typeof item === 'object' && item !== null ? (item as Properties) : {};
    const fromValue = bound(range['from_value']);
    const toValue = isBlank(range['to_value']) ? null : bound(range['to_value']);
    const isLast = index === given.length - 1;
    const isOpen = isBlank(range['to_value']);
    const follows = index === 0 ? fromValue?.isZero() : fromValue && previousTo && isAdjacent(previousTo, fromValue);
    const ordered = isOpen || (fromValue !== null && toValue !== null && toValue.greaterThan(fromValue));
    const oneUnit = fromValue && toValue?.equals(fromValue) && !previousTo?.equals(fromValue);
    if (!follows || isOpen !== isLast || !(ordered || oneUnit)) faults.push(`invalid_${key}`);
    previousTo = toValue;
    return read(range, { fromValue: fromValue ?? ZERO, toValue });
  });
}

/** Whether a range that starts here continues one that ended there. */
function isAdjacent(previousTo: Decimal, from: Decimal): boolean {
  return from.equals(previousTo) || from.equals(previousTo.plus(1));
}

const PLAIN_AMOUNT = /^\d+(\.\d+)?$/;

function required(value: unknown, code: string, faults: string[]): Decimal {
  if (typeof value === 'string' && PLAIN_AMOUNT.test(value)) return new Decimal(value);
  faults.push(code);
  return ZERO;
}

function optional(value: unknown, code: string, faults: string[]): Decimal | null {
  return isBlank(value) ? null : required(value, code, faults);
}

function integer(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : null;
}

function bound(value: unknown): Decimal | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? new Decimal(value) : null;
  return typeof value === 'string' && PLAIN_AMOUNT.test(value) ? new Decimal(value) : null;
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}
