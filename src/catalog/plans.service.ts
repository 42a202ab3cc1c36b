import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { requireTaxes, type TaxRow, taxesByCode } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { validationFailed } from '../platform/http/errors.js';
import { limits, type Page, type PageRequest } from '../platform/http/pagination.js';
import { replaceCharges, type WriteContext } from './charge-writer.js';
import { writeCommitment } from './commitment-writer.js';
import { replaceFixedCharges } from './fixed-charge-writer.js';
import {
  findPlan,
  type LivingSubscription,
  livingSubscriptions,
  lockPlan,
  meterGroups,
  PlanEditor,
} from './plan-editor.js';
import { type PlanView, planViews } from './plan-view.js';
import { PlanEntity, type PlanRow } from './plan.entity.js';
import type { PlanChanges, PlanCreation } from './plan.input.js';
import { DraftsOfPlan, MetricDefinitions, SubscriptionsOfPlan } from './ports.js';
import { refuseChanges } from './refuse-changes.js';

/** What a subscription costs. Issued fees keep the price they were made with, so a change concerns what is still to be billed. */
@Injectable()
export class PlansService {
  constructor(
    private readonly database: Database,
    private readonly editor: PlanEditor,
    private readonly definitions: MetricDefinitions,
    private readonly subscriptions: SubscriptionsOfPlan,
    private readonly drafts: DraftsOfPlan,
  ) {}

  create(organizationId: string, input: PlanCreation): Promise<PlanView> {
    return this.database.tenant(organizationId, async (em) => {
      await requireFreeCode(em, organizationId, input.code);
      const taxes = await taxesByCode(em, organizationId);
      const now = new Date();
      const plan = em.create(PlanEntity, {
        id: randomUUID(),
        organizationId,
        code: input.code,
        name: input.name,
        interval: input.interval,
        amountCents: input.amount_cents,
        amountCurrency: input.amount_currency,
        payInAdvance: false,
        taxCodes: [],
        metadata: {},
        createdAt: now,
        updatedAt: now,
      });
      applyFields(plan, input, taxes);
      await em.flush();
      await writeParts(em, { plan, taxes, settled: false, unitsAtOnce: new Set() }, input);
      const view = await viewOf(em, plan);
      await meterGroups(em, this.definitions, view);
      return view;
    });
  }

  list(organizationId: string, page: PageRequest): Promise<Page<PlanView>> {
    return this.database.tenant(organizationId, async (em) => {
      const [plans, totalCount] = await em.findAndCount(
        PlanEntity,
        { organizationId, deletedAt: null },
        { orderBy: { createdAt: 'desc', id: 'asc' }, ...limits(page) },
      );
      const views = await planViews(
        em,
        organizationId,
        plans.map(({ id }) => id),
      );
      return { items: plans.map(({ id }) => views.get(id)!), totalCount };
    });
  }

  read(organizationId: string, code: string): Promise<PlanView> {
    return this.database.tenant(organizationId, async (em) => viewOf(em, await findPlan(em, organizationId, code)));
  }

  async update(organizationId: string, code: string, input: PlanChanges): Promise<PlanView> {
    const cascade = input.cascade_updates === true;
    const { view } = await this.editor.edit(organizationId, code, { cascade }, async ({ em, context }) => {
      const { plan, taxes, settled } = context;
      if (settled) refuseChanges(settledFields(plan), wantedFields(input));
      if (input.code !== undefined && input.code !== plan.code) await requireFreeCode(em, organizationId, input.code);
      if (input.code !== undefined) plan.code = input.code;
      if (input.name !== undefined) plan.name = input.name;
      if (input.interval !== undefined) plan.interval = input.interval;
      if (input.amount_cents !== undefined) plan.amountCents = input.amount_cents;
      if (input.amount_currency !== undefined) plan.amountCurrency = input.amount_currency;
      applyFields(plan, input, taxes);
      await em.flush();
      await writeParts(em, context, input);
    });
    return view;
  }

  /** Describes the plan and changes nothing of what it bills. @throws 404 `plan_not_found` */
  changeMetadata(
    organizationId: string,
    code: string,
    change: (current: Metadata) => Metadata | null,
  ): Promise<Metadata | null> {
    return this.database.tenant(organizationId, async (em) => {
      const plan = await lockPlan(em, (await findPlan(em, organizationId, code)).id);
      plan.metadata = change(plan.metadata ?? {});
      plan.updatedAt = new Date();
      await em.flush();
      return plan.metadata;
    });
  }

  /**
   * Ends the subscriptions first, so that a deletion cut short can be asked for again; then once more, for one that was
   * begun in between.
   */
  async delete(organizationId: string, code: string): Promise<PlanView> {
    const living = (em: EntityManager) =>
      findPlan(em, organizationId, code).then((plan) => livingSubscriptions(em, plan.id));
    await this.terminate(organizationId, await this.database.tenant(organizationId, living));
    const { view, left, planId } = await this.database.tenant(organizationId, async (em) => {
      const plan = await findPlan(em, organizationId, code);
      plan.deletedAt = new Date();
      await em.flush();
      return { view: await viewOf(em, plan), left: await livingSubscriptions(em, plan.id), planId: plan.id };
    });
    await this.terminate(organizationId, left);
    await this.drafts.finalizeDraftsOfPlan(organizationId, planId);
    return { ...view, pendingDeletion: true };
  }

  private async terminate(organizationId: string, subscriptions: readonly LivingSubscription[]): Promise<void> {
    for (const { external_id, status } of subscriptions) {
      await this.subscriptions.terminate(organizationId, external_id, { status, onTerminationInvoice: 'generate' });
    }
  }
}

type Metadata = Record<string, string | null>;

/** What decides periods and currency stays as long as a subscription is on the plan. */
function settledFields(plan: PlanRow) {
  return {
    code: plan.code,
    interval: plan.interval,
    amount_currency: plan.amountCurrency,
    pay_in_advance: plan.payInAdvance,
    trial_period: plan.trialPeriod ?? '0',
    bill_charges_monthly: plan.billChargesMonthly ?? false,
    bill_fixed_charges_monthly: plan.billFixedChargesMonthly ?? false,
  };
}

/** No trial and a trial of no days are the same; so are not asking for monthly charges and asking for none. */
function wantedFields({ code, interval, amount_currency, pay_in_advance, ...input }: PlanChanges) {
  return {
    code,
    interval,
    amount_currency,
    pay_in_advance: pay_in_advance ?? undefined,
    trial_period: input.trial_period === null ? '0' : input.trial_period,
    bill_charges_monthly: input.bill_charges_monthly === null ? false : input.bill_charges_monthly,
    bill_fixed_charges_monthly: input.bill_fixed_charges_monthly === null ? false : input.bill_fixed_charges_monthly,
  };
}

function applyFields(plan: PlanRow, input: PlanChanges, taxes: ReadonlyMap<string, TaxRow>): void {
  if (input.invoice_display_name !== undefined) plan.invoiceDisplayName = input.invoice_display_name;
  if (input.description !== undefined) plan.description = input.description;
  if (input.trial_period !== undefined) plan.trialPeriod = input.trial_period;
  if (input.pay_in_advance != null) plan.payInAdvance = input.pay_in_advance;
  if (input.bill_charges_monthly !== undefined) plan.billChargesMonthly = input.bill_charges_monthly;
  if (input.bill_fixed_charges_monthly !== undefined) plan.billFixedChargesMonthly = input.bill_fixed_charges_monthly;
  if (input.metadata !== undefined) plan.metadata = input.metadata ?? {};
  if (input.tax_codes != null) {
    requireTaxes(input.tax_codes, taxes);
    plan.taxCodes = input.tax_codes;
  }
}

/** What the request names; the other parts of the plan stay as they are. */
async function writeParts(em: EntityManager, context: WriteContext, input: PlanChanges): Promise<void> {
  if (input.charges != null) await replaceCharges(em, context, input.charges);
  if (input.fixed_charges != null) await replaceFixedCharges(em, context, input.fixed_charges);
  if (input.minimum_commitment !== undefined) await writeCommitment(em, context, input.minimum_commitment);
}

async function viewOf(em: EntityManager, plan: PlanRow): Promise<PlanView> {
  const views = await planViews(em, plan.organizationId, [plan.id]);
  return views.get(plan.id)!;
}

async function requireFreeCode(em: EntityManager, organizationId: string, code: string): Promise<void> {
  const taken = await em.count(PlanEntity, { organizationId, code, deletedAt: null });
  if (taken > 0) throw validationFailed({ code: ['value_already_exist'] });
}
