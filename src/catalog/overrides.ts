import { randomUUID } from 'node:crypto';
import { requireTaxes, type TaxRow } from '../organizations/index.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import type { ChargeFilterRow } from './charge-filter.entity.js';
import { chargeModel, filterTerms, priceProperties, requireBillable } from './charge-terms.js';
import type {
  CommitmentInput,
  FilterChanges,
  FilterInput,
  OwnChargeInput,
  OwnFixedChargeInput,
  PlanOverrides,
} from './charge.input.js';
import type { MinimumCommitmentRow } from './minimum-commitment.entity.js';
import { sameValues } from './plan-difference.js';
import type { ChargeRows, FixedChargeRows, PlanRows } from './plan-rows.js';
import { ownId } from './subscription-plan.js';

/** How one names a part of a subscription's plan: by its code, by its id in the plan, or by the id the subscription shows. */
interface Named {
  readonly id?: string | null | undefined;
  readonly code?: string | null | undefined;
}

type Taxes = ReadonlyMap<string, TaxRow>;

/**
 * The plan of a subscription with these terms of its own. Fields the input does not name stay as they are.
 * @throws 404 for a part the plan does not have, 422 with Lago's codes for a price that cannot be.
 */
export function withOverrides(
  rows: PlanRows,
  subscriptionId: string | null,
  input: PlanOverrides,
  taxes: Taxes,
): PlanRows {
  requireTaxes(input.tax_codes ?? [], taxes);
  const { plan } = rows;
  const overridden: PlanRows = {
    ...rows,
    plan: {
      ...plan,
      name: input.name ?? plan.name,
      ...(input.invoice_display_name !== undefined && { invoiceDisplayName: input.invoice_display_name }),
      ...(input.description !== undefined && { description: input.description }),
      amountCents: input.amount_cents ?? plan.amountCents,
      amountCurrency: input.amount_currency ?? plan.amountCurrency,
      ...(input.trial_period !== undefined && { trialPeriod: input.trial_period }),
      taxCodes: input.tax_codes ?? plan.taxCodes,
    },
    commitment:
      input.minimum_commitment === undefined ? rows.commitment : ownCommitment(rows, input.minimum_commitment, taxes),
  };
  const charged = (input.charges ?? []).reduce((current, charge) => {
    const { id } = findCharge(current, subscriptionId, charge).charge;
    return withCharge(current, id, (one) => ownCharge(one, charge, taxes));
  }, overridden);
  return (input.fixed_charges ?? []).reduce((current, fixedCharge) => {
    const { id } = findFixedCharge(current, subscriptionId, fixedCharge).fixedCharge;
    return withFixedCharge(current, id, (one) => ownFixedCharge(one, fixedCharge, taxes));
  }, charged);
}

/** @throws 404 `charge_not_found` */
export function findCharge(rows: PlanRows, subscriptionId: string | null, named: Named): ChargeRows {
  const found = rows.charges.find(({ charge }) => isNamed(charge, subscriptionId, named));
  if (found === undefined) throw notFound('charge');
  return found;
}

/** @throws 404 `fixed_charge_not_found` */
export function findFixedCharge(rows: PlanRows, subscriptionId: string | null, named: Named): FixedChargeRows {
  const found = rows.fixedCharges.find(({ fixedCharge }) => isNamed(fixedCharge, subscriptionId, named));
  if (found === undefined) throw notFound('fixed_charge');
  return found;
}

/** @throws 404 `charge_filter_not_found` */
export function findFilter({ filters }: ChargeRows, subscriptionId: string | null, id: string): ChargeFilterRow {
  const found = filters.find((filter) => isNamed(filter, subscriptionId, { id }));
  if (found === undefined) throw notFound('charge_filter');
  return found;
}

function isNamed(part: { id: string; code?: string }, subscriptionId: string | null, { id, code }: Named): boolean {
  if (id == null) return code != null && part.code === code;
  const wanted = id.toLowerCase();
  return part.id === wanted || (subscriptionId !== null && ownId(subscriptionId, part.id) === wanted);
}

export function withCharge(rows: PlanRows, id: string, change: (charge: ChargeRows) => ChargeRows): PlanRows {
  return { ...rows, charges: rows.charges.map((one) => (one.charge.id === id ? change(one) : one)) };
}

export function withFixedCharge(
  rows: PlanRows,
  id: string,
  change: (fixedCharge: FixedChargeRows) => FixedChargeRows,
): PlanRows {
  return { ...rows, fixedCharges: rows.fixedCharges.map((one) => (one.fixedCharge.id === id ? change(one) : one)) };
}

/** Filters that are sent replace all that were there; without them and without a price those of the plan stay. */
export function ownCharge(one: ChargeRows, input: OwnChargeInput, taxes: Taxes): ChargeRows {
  const { charge, metric, filters } = one;
  requireTaxes(input.tax_codes ?? [], taxes);
  const model = chargeModel(charge.chargeModel);
  const minAmountCents = input.min_amount_cents ?? charge.minAmountCents;
  const { payInAdvance, prorated, invoiceable } = charge;
  const regroupPaidFees = charge.regroupPaidFees ?? null;
  requireBillable({ model, payInAdvance, prorated, invoiceable, regroupPaidFees, minAmountCents }, metric);
  return {
    metric,
    charge: {
      ...charge,
      ...(input.invoice_display_name !== undefined && { invoiceDisplayName: input.invoice_display_name }),
      properties: isPriced(input.properties) ? priceProperties(model, input.properties) : charge.properties,
      minAmountCents,
      taxCodes: input.tax_codes ?? charge.taxCodes,
    },
    filters:
      input.filters == null
        ? filters
        : input.filters.map((filter, position) => ({ ...ownFilter(one, filter), position })),
  };
}

/** One more filter. @throws 422 `values: value_already_exist` when the charge has one for these values. */
export function withNewFilter(one: ChargeRows, input: FilterInput): { charge: ChargeRows; filter: ChargeFilterRow } {
  const filter = ownFilter(one, input);
  if (one.filters.some(({ id }) => id === filter.id)) throw validationFailed({ values: ['value_already_exist'] });
  return { charge: { ...one, filters: [...one.filters, filter] }, filter };
}

export function withChangedFilter(one: ChargeRows, filter: ChargeFilterRow, input: FilterChanges): ChargeRows {
  const { invoice_display_name = filter.invoiceDisplayName, properties, values = filter.values } = input;
  const model = chargeModel(one.charge.chargeModel);
  const priced = isPriced(properties) ? properties : filter.properties;
  const terms = filterTerms({ invoice_display_name, properties: priced, values }, model, one.metric);
  const others = one.filters.filter(({ id }) => id !== filter.id);
  if (others.some((other) => sameValues(other.values, terms.values))) {
    throw validationFailed({ values: ['value_already_exist'] });
  }
  return { ...one, filters: one.filters.map((each) => (each.id === filter.id ? { ...each, ...terms } : each)) };
}

export function withoutFilter(one: ChargeRows, { id }: ChargeFilterRow): ChargeRows {
  return { ...one, filters: one.filters.filter((filter) => filter.id !== id) };
}

export function ownFixedCharge(
  { fixedCharge, addOn }: FixedChargeRows,
  input: OwnFixedChargeInput,
  taxes: Taxes,
): FixedChargeRows {
  requireTaxes(input.tax_codes ?? [], taxes);
  const model = chargeModel(fixedCharge.chargeModel);
  return {
    addOn,
    fixedCharge: {
      ...fixedCharge,
      ...(input.invoice_display_name !== undefined && { invoiceDisplayName: input.invoice_display_name }),
      units: input.units ?? fixedCharge.units,
      properties: isPriced(input.properties) ? priceProperties(model, input.properties) : fixedCharge.properties,
      taxCodes: input.tax_codes ?? fixedCharge.taxCodes,
    },
  };
}

// A filter for the values of one that is there is that one with another price.
function ownFilter({ charge, metric, filters }: ChargeRows, input: FilterInput): ChargeFilterRow {
  const terms = filterTerms(input, chargeModel(charge.chargeModel), metric);
  const same = filters.find(({ values }) => sameValues(values, terms.values));
  return {
    ...{ id: randomUUID(), organizationId: charge.organizationId, chargeId: charge.id, createdAt: new Date() },
    position: Math.max(-1, ...filters.map(({ position }) => position)) + 1,
    ...same,
    ...terms,
  } as ChargeFilterRow;
}

function ownCommitment(
  { plan, commitment }: PlanRows,
  input: CommitmentInput | null,
  taxes: Taxes,
): MinimumCommitmentRow | null {
  if (input === null || Object.keys(input).length === 0) return null;
  requireTaxes(input.tax_codes ?? [], taxes);
  const amountCents = input.amount_cents ?? commitment?.amountCents;
  if (amountCents === undefined) throw validationFailed({ amount_cents: ['value_is_mandatory'] });
  if (amountCents === 0) throw validationFailed({ amount_cents: ['value_is_out_of_range'] });
  const now = new Date();
  const { id: planId, organizationId } = plan;
  return {
    ...{ id: randomUUID(), planId, organizationId, taxCodes: [], createdAt: now, updatedAt: now },
    ...commitment,
    amountCents,
    ...(input.invoice_display_name !== undefined && { invoiceDisplayName: input.invoice_display_name }),
    ...(input.tax_codes != null && { taxCodes: input.tax_codes }),
  } as MinimumCommitmentRow;
}

function isPriced(properties: Record<string, unknown> | null | undefined): properties is Record<string, unknown> {
  return properties != null && Object.keys(properties).length > 0;
}
