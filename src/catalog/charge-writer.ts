import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { requireTaxes, type TaxRow } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { isUuid } from '../platform/http/path.js';
import { BillableMetricEntity, type BillableMetricRow } from './billable-metric.entity.js';
import { ChargeFilterEntity, type ChargeFilterRow } from './charge-filter.entity.js';
import { type ChargeTerms, chargeTerms, type FilterTerms } from './charge-terms.js';
import { ChargeEntity, type ChargeRow } from './charge.entity.js';
import type { PlanRow } from './plan.entity.js';
import type { ChargeInput } from './plan.input.js';

/**
 * Makes the charges of a plan those of the request: one with the id of a charge changes it, one without is new, and what
 * the request does not name goes. `settled` says that subscriptions are billed by the plan: a charge then keeps its metric
 * and its model.
 */
export async function replaceCharges(
  em: EntityManager,
  plan: PlanRow,
  inputs: readonly ChargeInput[],
  taxes: ReadonlyMap<string, TaxRow>,
  settled: boolean,
): Promise<void> {
  const metrics = await metricsOf(em, plan.organizationId, inputs);
  const current = await em.find(ChargeEntity, { planId: plan.id, deletedAt: null });
  const kept = new Map<ChargeInput, ChargeRow | undefined>(
    inputs.map((input) => [input, current.find(({ id }) => id === input.id)]),
  );
  const codes = chargeCodes(inputs, kept, metrics);
  const now = new Date();
  const staying = new Set([...kept.values()].map((charge) => charge?.id));
  for (const charge of current) if (!staying.has(charge.id)) charge.deletedAt = now;

  const written: { charge: ChargeRow; filters: readonly FilterTerms[] | null }[] = [];
  for (const [position, input] of inputs.entries()) {
    const metric = metrics.get(input.billable_metric_id)!;
    const terms = chargeTerms(input, metric);
    requireTaxes(input.tax_codes ?? [], taxes);
    const existing = kept.get(input);
    if (existing && settled) requireSamePriceKind(existing, metric, terms);
    const charge = existing ?? newCharge(em, plan, metric, now);
    charge.billableMetricId = metric.id;
    charge.code = codes.get(input)!;
    charge.position = position;
    charge.chargeModel = terms.model;
    charge.properties = terms.properties;
    if (input.invoice_display_name !== undefined || !existing)
      charge.invoiceDisplayName = input.invoice_display_name ?? null;
    if (input.tax_codes != null) charge.taxCodes = input.tax_codes;
    charge.updatedAt = now;
    written.push({ charge, filters: input.filters === undefined ? null : terms.filters });
  }
  // Filters point at charges by id only, so the charges have to be there first.
  await em.flush();
  for (const { charge, filters } of written) if (filters !== null) await replaceFilters(em, charge, filters, now);
  await em.flush();
}

async function metricsOf(em: EntityManager, organizationId: string, inputs: readonly ChargeInput[]) {
  const ids = [...new Set(inputs.map((input) => input.billable_metric_id))];
  if (!ids.every(isUuid)) throw notFound('billable_metrics');
  const metrics = await em.find(BillableMetricEntity, { organizationId, id: { $in: ids }, deletedAt: null });
  if (metrics.length !== ids.length) throw notFound('billable_metrics');
  return new Map(ids.map((id) => [id, metrics.find((metric) => metric.id === id.toLowerCase())!]));
}

/** A charge without a code takes its metric's, with `_1`, `_2` … where that is taken within the plan. */
function chargeCodes(
  inputs: readonly ChargeInput[],
  kept: ReadonlyMap<ChargeInput, ChargeRow | undefined>,
  metrics: ReadonlyMap<string, BillableMetricRow>,
): Map<ChargeInput, string> {
  const codes = new Map<ChargeInput, string>();
  const taken = new Set<string>();
  for (const input of inputs) {
    const code = input.code ?? kept.get(input)?.code;
    if (code === undefined) continue;
    if (taken.has(code)) throw validationFailed({ code: ['value_already_exist'] });
    taken.add(code);
    codes.set(input, code);
  }
  for (const input of inputs) {
    if (codes.has(input)) continue;
    const base = metrics.get(input.billable_metric_id)!.code;
    let code = base;
    for (let number = 1; taken.has(code); number += 1) code = `${base}_${number}`;
    taken.add(code);
    codes.set(input, code);
  }
  return codes;
}

function requireSamePriceKind(charge: ChargeRow, metric: BillableMetricRow, terms: ChargeTerms): void {
  if (charge.billableMetricId !== metric.id) throw validationFailed({ billable_metric_id: ['value_is_invalid'] });
  if (charge.chargeModel !== terms.model) throw validationFailed({ charge_model: ['value_is_invalid'] });
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

/** A filter is known by its values: one that comes again keeps its id, to which fees point. */
async function replaceFilters(
  em: EntityManager,
  charge: ChargeRow,
  wanted: readonly FilterTerms[],
  now: Date,
): Promise<void> {
  // Rows know each other by id only, so the order in which they are written is ours: a filter comes after its charge.
  await em.flush();
  const current: ChargeFilterRow[] = await em.find(ChargeFilterEntity, { chargeId: charge.id });
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
