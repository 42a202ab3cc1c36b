import { isDeepStrictEqual } from 'node:util';
import type { ChargeFilterRow } from './charge-filter.entity.js';
import type { ChargeRow } from './charge.entity.js';
import type { FixedChargeRow } from './fixed-charge.entity.js';
import type { MinimumCommitmentRow } from './minimum-commitment.entity.js';
import type { ChargeRows, FixedChargeRows, PlanRows } from './plan-rows.js';
import type { PlanRow } from './plan.entity.js';

/**
 * What a subscription agreed on differently from its plan, and nothing else: values that are equal to the plan's are not
 * in it. So an edit of the plan reaches whatever is not customized, unless the edit is to leave subscriptions with terms
 * of their own alone: then it is computed anew against the edited plan, which pins the former values.
 *
 * Parts are named by the ids they have in the plan. `absent`: the plan has it, the subscription not. `kept`: the plan has
 * it no more. JSON as it is stored with the subscription.
 */
export interface PlanDifference {
  readonly plan?: Partial<Pick<PlanRow, (typeof PLAN_FIELDS)[number]>>;
  readonly commitment?: CommitmentDifference;
  readonly charges?: Readonly<Record<string, ChargeDifference>>;
  readonly fixedCharges?: Readonly<Record<string, FixedChargeDifference>>;
}

type Presence = 'absent' | 'kept';

interface ChargeDifference {
  readonly presence?: Presence;
  readonly fields?: Partial<Pick<ChargeRow, (typeof CHARGE_FIELDS)[number]>>;
  readonly filters?: readonly FilterDifference[];
}

/** A filter is known by its values. One that the plan has not comes whole, with an id. */
interface FilterDifference {
  readonly values: Record<string, string[]>;
  readonly absent?: boolean;
  readonly own?: { readonly id: string; readonly position: number };
  readonly fields?: Partial<Pick<ChargeFilterRow, (typeof FILTER_FIELDS)[number]>>;
}

interface FixedChargeDifference {
  readonly presence?: Presence;
  readonly fields?: Partial<Pick<FixedChargeRow, (typeof FIXED_CHARGE_FIELDS)[number]>>;
}

interface CommitmentDifference {
  readonly absent?: boolean;
  readonly own?: { readonly id: string; readonly createdAt: string; readonly updatedAt: string };
  readonly fields?: Partial<Pick<MinimumCommitmentRow, (typeof COMMITMENT_FIELDS)[number]>>;
}

const PLAN_FIELDS = [
  'name',
  'invoiceDisplayName',
  'description',
  'amountCents',
  'amountCurrency',
  'trialPeriod',
  'taxCodes',
] as const;
const CHARGE_FIELDS = [
  'code',
  'invoiceDisplayName',
  'chargeModel',
  'properties',
  'payInAdvance',
  'invoiceable',
  'prorated',
  'minAmountCents',
  'regroupPaidFees',
  'taxCodes',
] as const;
const FILTER_FIELDS = ['invoiceDisplayName', 'properties'] as const;
const FIXED_CHARGE_FIELDS = [
  'code',
  'invoiceDisplayName',
  'units',
  'chargeModel',
  'properties',
  'payInAdvance',
  'prorated',
  'taxCodes',
] as const;
const COMMITMENT_FIELDS = ['amountCents', 'invoiceDisplayName', 'taxCodes'] as const;

/** A plan, and the parts it has no more that some subscriptions still have. */
export interface BasePlan extends PlanRows {
  readonly formerCharges: readonly ChargeRows[];
  readonly formerFixedCharges: readonly FixedChargeRows[];
}

/** The ids of the parts that a plan has no more and that these subscriptions still have. */
export function keptParts(differences: readonly PlanDifference[]): { charges: string[]; fixedCharges: string[] } {
  const kept = (parts: Readonly<Record<string, { presence?: Presence }>> = {}) =>
    Object.entries(parts).flatMap(([id, { presence }]) => (presence === 'kept' ? [id] : []));
  return {
    charges: [...new Set(differences.flatMap(({ charges }) => kept(charges)))],
    fixedCharges: [...new Set(differences.flatMap(({ fixedCharges }) => kept(fixedCharges)))],
  };
}

/** The plan as the subscription has it. Ids stay those of the plan's parts. */
export function withDifference(base: BasePlan, difference: PlanDifference): PlanRows {
  const { charges = {}, fixedCharges = {} } = difference;
  const chosenCharges = chosen(base.charges, base.formerCharges, charges, ({ charge }) => charge.id);
  const chosenFixed = chosen(base.fixedCharges, base.formerFixedCharges, fixedCharges, (one) => one.fixedCharge.id);
  return {
    plan: { ...base.plan, ...difference.plan },
    charges: chosenCharges.map(({ charge, metric, filters }) => {
      const { fields, filters: changed } = charges[charge.id] ?? {};
      return { charge: { ...charge, ...fields }, metric, filters: withFilters(charge, filters, changed ?? []) };
    }),
    fixedCharges: chosenFixed.map(({ fixedCharge, addOn }) => ({
      fixedCharge: { ...fixedCharge, ...fixedCharges[fixedCharge.id]?.fields },
      addOn,
    })),
    commitment: withCommitment(base, difference.commitment),
  };
}

/** What has to be stored with a subscription so that it has `wanted` of this plan. */
export function differenceFrom(base: BasePlan, wanted: PlanRows): PlanDifference {
  const plan = changed(PLAN_FIELDS, base.plan, wanted.plan);
  const charges = partsChanged(
    { base: base.charges, former: base.formerCharges, wanted: wanted.charges },
    ({ charge }) => charge.id,
    (from, to): ChargeDifference => {
      const fields = changed(CHARGE_FIELDS, from.charge, to.charge);
      const filters = filtersChanged(from.filters, to.filters);
      return { ...(hasAny(fields) && { fields }), ...(filters.length > 0 && { filters }) };
    },
  );
  const fixedCharges = partsChanged(
    { base: base.fixedCharges, former: base.formerFixedCharges, wanted: wanted.fixedCharges },
    ({ fixedCharge }) => fixedCharge.id,
    (from, to): FixedChargeDifference => {
      const fields = changed(FIXED_CHARGE_FIELDS, from.fixedCharge, to.fixedCharge);
      return hasAny(fields) ? { fields } : {};
    },
  );
  const commitment = commitmentChanged(base.commitment, wanted.commitment);
  return {
    ...(hasAny(plan) && { plan }),
    ...(hasAny(charges) && { charges }),
    ...(hasAny(fixedCharges) && { fixedCharges }),
    ...(commitment !== null && { commitment }),
  };
}

/** Two filters of a charge that take the same events. */
export function sameValues(one: Record<string, readonly string[]>, other: Record<string, readonly string[]>): boolean {
  return isDeepStrictEqual(sortedValues(one), sortedValues(other));
}

function sortedValues(values: Record<string, readonly string[]>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(values).map(([key, accepted]) => [key, accepted.toSorted()]));
}

function chosen<Part>(
  live: readonly Part[],
  former: readonly Part[],
  differences: Readonly<Record<string, { presence?: Presence }>>,
  idOf: (part: Part) => string,
): Part[] {
  const isKept = (part: Part) => differences[idOf(part)]?.presence === 'kept';
  return [...live.filter((part) => differences[idOf(part)]?.presence !== 'absent'), ...former.filter(isKept)];
}

function withFilters(
  charge: ChargeRow,
  filters: readonly ChargeFilterRow[],
  differences: readonly FilterDifference[],
): ChargeFilterRow[] {
  const differenceOf = ({ values }: ChargeFilterRow) => differences.find((one) => sameValues(one.values, values));
  const shared = filters
    .filter((filter) => differenceOf(filter)?.absent !== true)
    .map((filter) => ({ ...filter, ...differenceOf(filter)?.fields }));
  const own = differences.flatMap(({ values, own, fields }): ChargeFilterRow[] => {
    // Once the plan has such a filter too, the subscription's is that one with prices of its own.
    if (own === undefined || filters.some((filter) => sameValues(filter.values, values))) return [];
    const { id: chargeId, organizationId, createdAt } = charge;
    return [{ ...own, organizationId, chargeId, values, properties: {}, createdAt, ...fields } as ChargeFilterRow];
  });
  return [...shared, ...own].toSorted((a, b) => a.position - b.position);
}

function withCommitment(base: BasePlan, difference: CommitmentDifference | undefined): MinimumCommitmentRow | null {
  if (difference === undefined) return base.commitment;
  const { absent, own, fields } = difference;
  if (absent === true) return null;
  if (base.commitment !== null) return { ...base.commitment, ...fields };
  if (own === undefined) return null;
  const { id: planId, organizationId } = base.plan;
  const [createdAt, updatedAt] = [new Date(own.createdAt), new Date(own.updatedAt)];
  return { id: own.id, planId, organizationId, ...fields, createdAt, updatedAt } as MinimumCommitmentRow;
}

function partsChanged<Part, Difference extends { presence?: Presence }>(
  { base, former, wanted }: { base: readonly Part[]; former: readonly Part[]; wanted: readonly Part[] },
  idOf: (part: Part) => string,
  compare: (from: Part, to: Part) => Difference,
): Record<string, Difference> {
  const differences: Record<string, Difference> = {};
  const find = (parts: readonly Part[], id: string) => parts.find((part) => idOf(part) === id);
  for (const part of wanted) {
    const id = idOf(part);
    const shared = find(base, id);
    const from = shared ?? find(former, id);
    if (from === undefined) continue;
    const difference = { ...compare(from, part), ...(shared === undefined && { presence: 'kept' }) } as Difference;
    if (hasAny(difference)) differences[id] = difference;
  }
  for (const part of base) {
    const id = idOf(part);
    if (find(wanted, id) === undefined) differences[id] = { presence: 'absent' } as Difference;
  }
  return differences;
}

function filtersChanged(base: readonly ChargeFilterRow[], wanted: readonly ChargeFilterRow[]): FilterDifference[] {
  const changes = wanted.flatMap((filter): FilterDifference[] => {
    const { id, position, values } = filter;
    const from = base.find((one) => sameValues(one.values, values));
    if (from === undefined) {
      const { invoiceDisplayName, properties } = filter;
      return [
        { values, own: { id, position }, fields: { invoiceDisplayName: invoiceDisplayName ?? null, properties } },
      ];
    }
    const fields = changed(FILTER_FIELDS, from, filter);
    return hasAny(fields) ? [{ values, fields }] : [];
  });
  const gone = base.filter(({ values }) => !wanted.some((one) => sameValues(one.values, values)));
  return [...changes, ...gone.map(({ values }) => ({ values, absent: true }))];
}

function commitmentChanged(
  base: MinimumCommitmentRow | null,
  wanted: MinimumCommitmentRow | null,
): CommitmentDifference | null {
  if (wanted === null) return base === null ? null : { absent: true };
  if (base === null) {
    const { id, createdAt, updatedAt, amountCents, invoiceDisplayName, taxCodes } = wanted;
    return {
      own: { id, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() },
      fields: { amountCents, invoiceDisplayName: invoiceDisplayName ?? null, taxCodes },
    };
  }
  const fields = changed(COMMITMENT_FIELDS, base, wanted);
  return hasAny(fields) ? { fields } : null;
}

function changed<Row extends object, Field extends keyof Row>(
  fields: readonly Field[],
  from: Row,
  to: Row,
): Partial<Pick<Row, Field>> {
  const entries = fields
    .map((field) => [field, to[field] ?? null] as const)
    .filter(([field, value]) => !isDeepStrictEqual(value, from[field] ?? null));
  return Object.fromEntries(entries) as Partial<Pick<Row, Field>>;
}

function hasAny(value: object): boolean {
  return Object.keys(value).length > 0;
}
