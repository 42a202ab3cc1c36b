import { randomUUID } from 'node:crypto';
import { requireTaxes } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { type ErrorCode, notFound, validationFailed } from '../platform/http/errors.js';
import { isUuid } from '../platform/http/path.js';
import { AddOnEntity, type AddOnRow } from './add-on.entity.js';
import { chargeModel, priceProperties } from './charge-terms.js';
import type { WriteContext } from './charge-writer.js';
import type { FixedChargeInput } from './charge.input.js';
import { assignCodes, codeAmong } from './codes.js';
import { FixedChargeEntity, type FixedChargeRow } from './fixed-charge.entity.js';
import type { PlanRow } from './plan.entity.js';
import { refuseChanges } from './refuse-changes.js';

/** Makes the fixed charges of a plan those of the request, as `replaceCharges` does with its charges. */
export async function replaceFixedCharges(
  em: EntityManager,
  context: WriteContext,
  inputs: readonly FixedChargeInput[],
): Promise<void> {
  const { plan } = context;
  const current = await em.find(FixedChargeEntity, { planId: plan.id, deletedAt: null });
  const kept = new Map(inputs.map((input) => [input, current.find(({ id }) => id === input.id)]));
  const addOns = await addOnsOf(em, plan.organizationId, inputs, current);
  const codes = assignCodes(
    inputs,
    (input) => kept.get(input)?.code,
    (input) => addOnFor(input, kept.get(input), addOns).code,
  );
  const now = new Date();
  const staying = new Set([...kept.values()].map((fixedCharge) => fixedCharge?.id));
  for (const fixedCharge of current) if (!staying.has(fixedCharge.id)) fixedCharge.deletedAt = now;
  for (const [position, input] of inputs.entries()) {
    const existing = kept.get(input);
    const addOn = addOnFor(input, existing, addOns);
    const fixedCharge = existing ?? newFixedCharge(em, plan, addOn, now);
    applyFixedCharge(context, fixedCharge, input, addOn, existing === undefined);
    fixedCharge.code = codes.get(input)!;
    fixedCharge.position = position;
    fixedCharge.updatedAt = now;
  }
  await em.flush();
}

/** One more fixed charge, at the end of the plan. */
export async function createFixedCharge(
  em: EntityManager,
  context: WriteContext,
  input: FixedChargeInput,
): Promise<FixedChargeRow> {
  const { plan } = context;
  const current = await em.find(FixedChargeEntity, { planId: plan.id, deletedAt: null });
  const addOn = addOnFor(input, undefined, await addOnsOf(em, plan.organizationId, [input], []));
  const fixedCharge = newFixedCharge(em, plan, addOn, new Date());
  applyFixedCharge(context, fixedCharge, input, addOn, true);
  fixedCharge.code = codeAmong(current, input.code ?? null, addOn.code);
  fixedCharge.position = Math.max(-1, ...current.map(({ position }) => position)) + 1;
  await em.flush();
  return fixedCharge;
}

export async function updateFixedCharge(
  em: EntityManager,
  context: WriteContext,
  fixedCharge: FixedChargeRow,
  input: FixedChargeInput,
): Promise<void> {
  const { plan } = context;
  const current = await em.find(FixedChargeEntity, { planId: plan.id, deletedAt: null });
  const addOn = addOnFor(input, fixedCharge, await addOnsOf(em, plan.organizationId, [input], [fixedCharge]));
  applyFixedCharge(context, fixedCharge, input, addOn, false);
  fixedCharge.code = codeAmong(
    current.filter(({ id }) => id !== fixedCharge.id),
    input.code ?? fixedCharge.code,
    addOn.code,
  );
  fixedCharge.updatedAt = new Date();
  await em.flush();
}

function applyFixedCharge(
  { taxes, settled, unitsAtOnce }: WriteContext,
  fixedCharge: FixedChargeRow,
  input: FixedChargeInput,
  addOn: AddOnRow,
  isNew: boolean,
): void {
  if (isNew && input.charge_model == null) throw validationFailed({ charge_model: ['value_is_mandatory'] });
  const model = chargeModel(input.charge_model ?? fixedCharge.chargeModel);
  if (!FIXED_MODELS.has(model)) throw validationFailed({ charge_model: ['value_is_invalid'] });
  if (settled && !isNew) {
    if (fixedCharge.addOnId !== addOn.id) throw validationFailed({ add_on_id: ['value_is_invalid'] });
    refuseChanges(billedBy(fixedCharge), {
      charge_model: model,
      pay_in_advance: input.pay_in_advance ?? undefined,
      prorated: input.prorated ?? undefined,
    });
  }
  const payInAdvance = input.pay_in_advance ?? fixedCharge.payInAdvance;
  const prorated = input.prorated ?? fixedCharge.prorated;
  requireBillable(model, payInAdvance, prorated);
  requireTaxes(input.tax_codes ?? [], taxes);
  const hasPrice = isNew || model !== fixedCharge.chargeModel || input.properties !== undefined;
  if (hasPrice) fixedCharge.properties = priceProperties(model, input.properties);
  fixedCharge.addOnId = addOn.id;
  fixedCharge.chargeModel = model;
  fixedCharge.payInAdvance = payInAdvance;
  fixedCharge.prorated = prorated;
  if (input.units != null) fixedCharge.units = input.units;
  if (input.apply_units_immediately === true) unitsAtOnce.add(fixedCharge.id);
  if (input.invoice_display_name !== undefined) fixedCharge.invoiceDisplayName = input.invoice_display_name;
  if (input.tax_codes != null) fixedCharge.taxCodes = input.tax_codes;
}

const FIXED_MODELS: ReadonlySet<string> = new Set(['standard', 'graduated', 'volume']);

// A volume is known at the end only, and a tier cannot be prorated before its units are known.
function requireBillable(model: string, payInAdvance: boolean, prorated: boolean): void {
  const details: Record<string, ErrorCode[]> = {};
  if (payInAdvance && model === 'volume') details['pay_in_advance'] = ['value_is_invalid'];
  if (payInAdvance && prorated && model === 'graduated') details['prorated'] = ['value_is_invalid'];
  if (Object.keys(details).length > 0) throw validationFailed(details);
}

function billedBy(fixedCharge: FixedChargeRow) {
  return {
    charge_model: fixedCharge.chargeModel,
    pay_in_advance: fixedCharge.payInAdvance,
    prorated: fixedCharge.prorated,
  };
}

async function addOnsOf(
  em: EntityManager,
  organizationId: string,
  inputs: readonly FixedChargeInput[],
  current: readonly FixedChargeRow[],
): Promise<ReadonlyMap<string, AddOnRow>> {
  const asked = inputs.flatMap(({ add_on_id: id }) => (id == null ? [] : [id.toLowerCase()]));
  if (!asked.every(isUuid)) throw notFound('add_ons');
  const living = await em.find(AddOnEntity, { organizationId, id: { $in: [...new Set(asked)] }, deletedAt: null });
  if (!asked.every((id) => living.some((addOn) => addOn.id === id))) throw notFound('add_ons');
  // A deleted add-on stays with the fixed charges that have it.
  const used = await em.find(AddOnEntity, { id: { $in: [...new Set(current.map(({ addOnId }) => addOnId))] } });
  return new Map([...used, ...living].map((addOn) => [addOn.id, addOn]));
}

function addOnFor(
  input: FixedChargeInput,
  existing: FixedChargeRow | undefined,
  addOns: ReadonlyMap<string, AddOnRow>,
): AddOnRow {
  const addOn = addOns.get(input.add_on_id?.toLowerCase() ?? existing?.addOnId ?? '');
  if (addOn === undefined) throw validationFailed({ add_on_id: ['value_is_mandatory'] });
  return addOn;
}

function newFixedCharge(em: EntityManager, plan: PlanRow, addOn: AddOnRow, now: Date): FixedChargeRow {
  return em.create(FixedChargeEntity, {
    id: randomUUID(),
    organizationId: plan.organizationId,
    planId: plan.id,
    addOnId: addOn.id,
    code: addOn.code,
    position: 0,
    units: '0',
    chargeModel: 'standard',
    properties: {},
    payInAdvance: false,
    prorated: false,
    taxCodes: [],
    createdAt: now,
    updatedAt: now,
  });
}
