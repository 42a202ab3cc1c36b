import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { requireTaxes, type TaxRow } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { isUuid } from '../platform/http/path.js';
import { BillableMetricEntity, type BillableMetricRow } from './billable-metric.entity.js';
import { ChargeFilterEntity, type ChargeFilterRow } from './charge-filter.entity.js';
import { chargeModel, type FilterTerms, filterTerms, priceProperties, requireBillable } from './charge-terms.js';
import { ChargeEntity, type ChargeRow } from './charge.entity.js';
import type { ChargeInput } from './charge.input.js';
import { assignCodes, codeAmong } from './codes.js';
import type { PlanRow } from './plan.entity.js';
import { refuseChanges } from './refuse-changes.js';

/** What a writer needs to know of the plan it writes in. */
export interface WriteContext {
  readonly plan: PlanRow;
  readonly taxes: ReadonlyMap<string, TaxRow>;
  /** Subscriptions are billed by the plan: a charge then keeps its metric and the way it is billed. */
  readonly settled: boolean;
  /** Fixed charges whose units are to change at once and not with the next period. */
  readonly unitsAtOnce: Set<string>;
}

/**
 * Makes the charges of a plan those of the request: one with the id of a charge changes it, one without is new, and what
 * the request does not name goes.
 */
export async function replaceCharges(
  em: EntityManager,
  context: WriteContext,
  inputs: readonly ChargeInput[],
): Promise<void> {
  const { plan } = context;
  const current = await em.find(ChargeEntity, { planId: plan.id, deletedAt: null });
  const kept = new Map(inputs.map((input) => [input, current.find(({ id }) => id === input.id)]));
  const metrics = await metricsOf(em, plan.organizationId, inputs, current);
  const codes = assignCodes(
    inputs,
    (input) => kept.get(input)?.code,
    (input) => metricFor(input, kept.get(input), metrics).code,
  );
  const now = new Date();
  const staying = new Set([...kept.values()].map((charge) => charge?.id));
  for (const charge of current) if (!staying.has(charge.id)) charge.deletedAt = now;
  const written: WrittenCharge[] = [];
  for (const [position, input] of inputs.entries()) {
    const existing = kept.get(input);
    const metric = metricFor(input, existing, metrics);
    const charge = existing ?? newCharge(em, plan, metric, now);
    const filters = await applyCharge(em, context, charge, input, metric, existing === undefined);
    charge.code = codes.get(input)!;
    charge.position = position;
    charge.updatedAt = now;
    written.push({ charge, filters });
  }
  // Filters point at charges by id only, so the charges have to be there first.
  await em.flush();
  await replaceFilters(em, written, now);
}

/** The fields of the request on the row; what it does not name stays. Answers the filters it asks for, null for as before. */
async function applyCharge(
  em: EntityManager,
  { taxes, settled }: WriteContext,
  charge: ChargeRow,
  input: ChargeInput,
  metric: BillableMetricRow,
  isNew: boolean,
): Promise<FilterTerms[] | null> {
  if (isNew && input.charge_model == null) throw validationFailed({ charge_model: ['value_is_mandatory'] });
  const model = chargeModel(input.charge_model ?? charge.chargeModel);
  const isOtherModel = isNew || model !== charge.chargeModel;
  if (settled && !isNew) {
    if (charge.billableMetricId !== metric.id) throw validationFailed({ billable_metric_id: ['value_is_invalid'] });
    refuseChanges(billedBy(charge), {
      charge_model: model,
      pay_in_advance: input.pay_in_advance ?? undefined,
      prorated: input.prorated ?? undefined,
      invoiceable: input.invoiceable ?? undefined,
      regroup_paid_fees: input.regroup_paid_fees,
    });
  }
  const terms = {
    model,
    payInAdvance: input.pay_in_advance ?? charge.payInAdvance,
    prorated: input.prorated ?? charge.prorated,
    invoiceable: input.invoiceable ?? charge.invoiceable,
    regroupPaidFees: input.regroup_paid_fees === undefined ? (charge.regroupPaidFees ?? null) : input.regroup_paid_fees,
    minAmountCents: input.min_amount_cents ?? charge.minAmountCents,
  };
  requireBillable(terms, metric);
  requireTaxes(input.tax_codes ?? [], taxes);
  const hasPrice = isOtherModel || input.properties !== undefined;
  const properties = hasPrice ? priceProperties(model, input.properties) : charge.properties;
  if (
    isOtherModel &&
    !isNew &&
    input.filters == null &&
    (await em.count(ChargeFilterEntity, { chargeId: charge.id })) > 0
  ) {
    // The prices of the filters are of the former model.
    throw validationFailed({ filters: ['value_is_mandatory'] });
  }
  if (charge.billableMetricId !== metric.id && !isNew && input.filters == null) {
    // Those that stay have to be filters of the new metric too: of what it does not declare no event would ever be.
    for (const filter of await em.find(ChargeFilterEntity, { chargeId: charge.id })) filterTerms(filter, model, metric);
  }
  const filters = input.filters == null ? null : input.filters.map((filter) => filterTerms(filter, model, metric));
  charge.billableMetricId = metric.id;
  charge.chargeModel = model;
  charge.properties = properties;
  charge.payInAdvance = terms.payInAdvance;
  charge.prorated = terms.prorated;
  charge.invoiceable = terms.invoiceable;
  charge.regroupPaidFees = terms.regroupPaidFees;
  charge.minAmountCents = terms.minAmountCents;
  if (input.invoice_display_name !== undefined) charge.invoiceDisplayName = input.invoice_display_name;
  if (input.tax_codes != null) charge.taxCodes = input.tax_codes;
  return filters;
}

function billedBy(charge: ChargeRow) {
  return {
    charge_model: charge.chargeModel,
    pay_in_advance: charge.payInAdvance,
    prorated: charge.prorated,
    invoiceable: charge.invoiceable,
    regroup_paid_fees: charge.regroupPaidFees ?? null,
  };
}

/** One more charge, at the end of the plan. */
export async function createCharge(em: EntityManager, context: WriteContext, input: ChargeInput): Promise<ChargeRow> {
  const { plan } = context;
  const current = await em.find(ChargeEntity, { planId: plan.id, deletedAt: null });
  const metric = metricFor(input, undefined, await metricsOf(em, plan.organizationId, [input], []));
  const now = new Date();
  const charge = newCharge(em, plan, metric, now);
  const filters = await applyCharge(em, context, charge, input, metric, true);
  charge.code = codeAmong(current, input.code ?? null, metric.code);
  charge.position = Math.max(-1, ...current.map(({ position }) => position)) + 1;
  await em.flush();
  await replaceFilters(em, [{ charge, filters }], now);
  return charge;
}

export async function updateCharge(
  em: EntityManager,
  context: WriteContext,
  charge: ChargeRow,
  input: ChargeInput,
): Promise<void> {
  const { plan } = context;
  const current = await em.find(ChargeEntity, { planId: plan.id, deletedAt: null });
  const metric = metricFor(input, charge, await metricsOf(em, plan.organizationId, [input], [charge]));
  const now = new Date();
  const filters = await applyCharge(em, context, charge, input, metric, false);
  charge.code = codeAmong(
    current.filter(({ id }) => id !== charge.id),
    input.code ?? charge.code,
    metric.code,
  );
  charge.updatedAt = now;
  await em.flush();
  await replaceFilters(em, [{ charge, filters }], now);
}

async function metricsOf(
  em: EntityManager,
  organizationId: string,
  inputs: readonly ChargeInput[],
  current: readonly ChargeRow[],
): Promise<ReadonlyMap<string, BillableMetricRow>> {
  const asked = inputs.flatMap(({ billable_metric_id: id }) => (id == null ? [] : [id.toLowerCase()]));
  if (!asked.every(isUuid)) throw notFound('billable_metrics');
  const ids = [...new Set([...asked, ...current.map(({ billableMetricId }) => billableMetricId)])];
  const found = await em.find(BillableMetricEntity, { organizationId, id: { $in: ids }, deletedAt: null });
  const metrics = new Map(found.map((metric) => [metric.id, metric]));
  if (!asked.every((id) => metrics.has(id))) throw notFound('billable_metrics');
  return metrics;
}

function metricFor(
  input: ChargeInput,
  existing: ChargeRow | undefined,
  metrics: ReadonlyMap<string, BillableMetricRow>,
): BillableMetricRow {
  const metric = metrics.get(input.billable_metric_id?.toLowerCase() ?? existing?.billableMetricId ?? '');
  if (metric === undefined) throw validationFailed({ billable_metric_id: ['value_is_mandatory'] });
  return metric;
}

function newCharge(em: EntityManager, plan: PlanRow, metric: BillableMetricRow, now: Date): ChargeRow {
  return em.create(ChargeEntity, {
    id: randomUUID(),
    organizationId: plan.organizationId,
    planId: plan.id,
    billableMetricId: metric.id,
    code: metric.code,
    position: 0,
    chargeModel: 'standard',
    properties: {},
    payInAdvance: false,
    invoiceable: true,
    prorated: false,
    minAmountCents: 0,
    taxCodes: [],
    createdAt: now,
    updatedAt: now,
  });
}

/** A charge as it was written, with the filters it is to have; null: as before. */
interface WrittenCharge {
  readonly charge: ChargeRow;
  readonly filters: readonly FilterTerms[] | null;
}

/** The charges are stored already: rows know each other by id only, so the order in which they are written is ours. */
async function replaceFilters(em: EntityManager, written: readonly WrittenCharge[], now: Date): Promise<void> {
  const ids = written.flatMap(({ charge, filters }) => (filters === null ? [] : [charge.id]));
  const stored = await em.find(ChargeFilterEntity, { chargeId: { $in: ids } });
  const current = new Map(ids.map((id): [string, ChargeFilterRow[]] => [id, []]));
  for (const filter of stored) current.get(filter.chargeId)!.push(filter);
  for (const { charge, filters } of written) {
    if (filters !== null) filtersOf(em, charge, current.get(charge.id) ?? [], filters, now);
  }
  await em.flush();
}

/** A filter is known by its values: one that comes again keeps its id, to which fees point. */
function filtersOf(
  em: EntityManager,
  charge: ChargeRow,
  current: readonly ChargeFilterRow[],
  wanted: readonly FilterTerms[],
  now: Date,
): void {
  const staying = new Set<ChargeFilterRow>();
  for (const [position, terms] of wanted.entries()) {
    const same = current.find((filter) => !staying.has(filter) && isDeepStrictEqual(filter.values, terms.values));
    const filter =
      same ??
      em.create(ChargeFilterEntity, {
        id: randomUUID(),
        organizationId: charge.organizationId,
        chargeId: charge.id,
        position,
        properties: terms.properties,
        values: terms.values,
        createdAt: now,
      });
    filter.position = position;
    filter.properties = terms.properties;
    filter.invoiceDisplayName = terms.invoiceDisplayName;
    staying.add(filter);
  }
  for (const filter of current) if (!staying.has(filter)) em.remove(filter);
}
