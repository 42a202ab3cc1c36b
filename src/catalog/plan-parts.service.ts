import { Injectable } from '@nestjs/common';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { ChargeFilterEntity, type ChargeFilterRow } from './charge-filter.entity.js';
import { createCharge, updateCharge } from './charge-writer.js';
import { ChargeEntity, type ChargeRow } from './charge.entity.js';
import type { ChargeInput, FilterChanges, FilterInput, FixedChargeInput } from './charge.input.js';
import { createFixedCharge, updateFixedCharge } from './fixed-charge-writer.js';
import { FixedChargeEntity, type FixedChargeRow } from './fixed-charge.entity.js';
import { findFilter, withChangedFilter, withNewFilter } from './overrides.js';
import { type Edit, type EditOptions, findPlan, PlanEditor } from './plan-editor.js';
import type { ChargeRows, FixedChargeRows } from './plan-rows.js';
import { type PlanView, planViews } from './plan-view.js';

/** A part of a plan with the plan it belongs to, whose taxes and owner its JSON shows. */
export interface PartView<Part> {
  readonly view: PlanView;
  readonly part: Part;
}

/** A filter with its charge. */
export interface FilterOfCharge {
  readonly charge: ChargeRow;
  readonly filter: ChargeFilterRow;
}

/** Charges, their filters and fixed charges one by one; each change is an edit of the plan. */
@Injectable()
export class PlanPartsService {
  constructor(
    private readonly database: Database,
    private readonly editor: PlanEditor,
  ) {}

  /** @throws 404 `plan_not_found` */
  read(organizationId: string, planCode: string): Promise<PlanView> {
    return this.database.tenant(organizationId, async (em) => {
      const { id } = await findPlan(em, organizationId, planCode);
      return (await planViews(em, organizationId, [id])).get(id)!;
    });
  }

  createCharge(organizationId: string, planCode: string, input: ChargeInput, options: EditOptions) {
    return this.edited(organizationId, planCode, options, chargeOf, async ({ em, context }) => {
      const { id } = await createCharge(em, context, input);
      return id;
    });
  }

  updateCharge(organizationId: string, planCode: string, code: string, input: ChargeInput, options: EditOptions) {
    return this.edited(organizationId, planCode, options, chargeOf, async ({ em, context }) => {
      const charge = await findCharge(em, context.plan.id, code);
      await updateCharge(em, context, charge, input);
      return charge.id;
    });
  }

  async deleteCharge(
    organizationId: string,
    planCode: string,
    code: string,
    options: EditOptions,
  ): Promise<PartView<ChargeRows>> {
    const { result, view } = await this.editor.edit(organizationId, planCode, options, async (edit) => {
      const charge = await findCharge(edit.em, edit.context.plan.id, code);
      charge.deletedAt = new Date();
      return edit.before.charges.find((one) => one.charge.id === charge.id)!;
    });
    return { view, part: result };
  }

  createFilter(organizationId: string, planCode: string, code: string, input: FilterInput, options: EditOptions) {
    return this.withFilter(organizationId, planCode, code, options, ({ em }, one) => {
      const { filter } = withNewFilter(one, input);
      em.create(ChargeFilterEntity, filter);
      return filter.id;
    });
  }

  updateFilter(
    organizationId: string,
    planCode: string,
    code: string,
    filterId: string,
    input: FilterChanges,
    options: EditOptions,
  ) {
    return this.withFilter(organizationId, planCode, code, options, async ({ em }, one) => {
      const current = findFilter(one, null, filterId);
      const { id } = current;
      const changed = findFilter(withChangedFilter(one, current, input), null, id);
      const filter = await em.findOneOrFail(ChargeFilterEntity, { id });
      filter.values = changed.values;
      filter.properties = changed.properties;
      filter.invoiceDisplayName = changed.invoiceDisplayName ?? null;
      return id;
    });
  }

  async deleteFilter(
    organizationId: string,
    planCode: string,
    code: string,
    filterId: string,
    options: EditOptions,
  ): Promise<PartView<FilterOfCharge>> {
    const { result, view } = await this.editor.edit(organizationId, planCode, options, async (edit) => {
      const { id } = await findCharge(edit.em, edit.context.plan.id, code);
      const one = edit.before.charges.find(({ charge }) => charge.id === id)!;
      const filter = findFilter(one, null, filterId);
      edit.em.remove(await edit.em.findOneOrFail(ChargeFilterEntity, { id: filter.id }));
      return { charge: one.charge, filter };
    });
    return { view, part: result };
  }

  createFixedCharge(organizationId: string, planCode: string, input: FixedChargeInput, options: EditOptions) {
    return this.edited(organizationId, planCode, options, fixedChargeOf, async ({ em, context }) => {
      const { id } = await createFixedCharge(em, context, input);
      return id;
    });
  }

  updateFixedCharge(
    organizationId: string,
    planCode: string,
    code: string,
    input: FixedChargeInput,
    options: EditOptions,
  ) {
    return this.edited(organizationId, planCode, options, fixedChargeOf, async ({ em, context }) => {
      const fixedCharge = await findFixedCharge(em, context.plan.id, code);
      await updateFixedCharge(em, context, fixedCharge, input);
      return fixedCharge.id;
    });
  }

  async deleteFixedCharge(
    organizationId: string,
    planCode: string,
    code: string,
    options: EditOptions,
  ): Promise<PartView<FixedChargeRows>> {
    const { result, view } = await this.editor.edit(organizationId, planCode, options, async (edit) => {
      const fixedCharge = await findFixedCharge(edit.em, edit.context.plan.id, code);
      fixedCharge.deletedAt = new Date();
      return edit.before.fixedCharges.find((one) => one.fixedCharge.id === fixedCharge.id)!;
    });
    return { view, part: result };
  }

  private async edited<Part>(
    organizationId: string,
    planCode: string,
    options: EditOptions,
    partOf: (view: PlanView, id: string) => Part,
    work: (edit: Edit) => Promise<string>,
  ): Promise<PartView<Part>> {
    const { result, view } = await this.editor.edit(organizationId, planCode, options, work);
    return { view, part: partOf(view, result) };
  }

  private async withFilter(
    organizationId: string,
    planCode: string,
    code: string,
    options: EditOptions,
    work: (edit: Edit, one: ChargeRows) => Promise<string> | string,
  ): Promise<PartView<FilterOfCharge>> {
    const { result, view } = await this.editor.edit(organizationId, planCode, options, async (edit) => {
      const { id } = await findCharge(edit.em, edit.context.plan.id, code);
      const one = edit.before.charges.find(({ charge }) => charge.id === id)!;
      return { chargeId: id, filterId: await work(edit, one) };
    });
    const { charge, filters } = chargeOf(view, result.chargeId);
    return { view, part: { charge, filter: filters.find(({ id }) => id === result.filterId)! } };
  }
}

function chargeOf(view: PlanView, id: string): ChargeRows {
  return view.charges.find(({ charge }) => charge.id === id)!;
}

function fixedChargeOf(view: PlanView, id: string): FixedChargeRows {
  return view.fixedCharges.find(({ fixedCharge }) => fixedCharge.id === id)!;
}

async function findCharge(em: EntityManager, planId: string, code: string): Promise<ChargeRow> {
  const charge = await em.findOne(ChargeEntity, { planId, code, deletedAt: null });
  if (!charge) throw notFound('charge');
  return charge;
}

async function findFixedCharge(em: EntityManager, planId: string, code: string): Promise<FixedChargeRow> {
  const fixedCharge = await em.findOne(FixedChargeEntity, { planId, code, deletedAt: null });
  if (!fixedCharge) throw notFound('fixed_charge');
  return fixedCharge;
}
