import { Injectable } from '@nestjs/common';
import { LockMode } from '@mikro-orm/core';
import { taxesByCode } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import type { WriteContext } from './charge-writer.js';
import { differenceFrom, withDifference } from './plan-difference.js';
import type { PlanRows } from './plan-rows.js';
import type { PlanView } from './plan-view.js';
import { PlanEntity, type PlanRow } from './plan.entity.js';
import { DraftsOfPlan, FixedChargeUnits, MetricDefinitions, type UnitsChange } from './ports.js';
import { readBasePlans } from './subscription-plan.js';
import { SubscriptionTermsEntity } from './subscription-terms.entity.js';
import { unitChanges } from './unit-changes.js';
import { groupUsage } from './usage-grouping.js';

export interface EditOptions {
  /** Whether the edit reaches subscriptions with terms of their own, where these are not customized. */
  readonly cascade: boolean;
}

/** An edit within its transaction. */
export interface Edit {
  readonly em: EntityManager;
  readonly context: WriteContext;
  /** As it was before the edit. */
  readonly before: PlanRows;
}

/**
 * Every change of a plan that subscriptions may be on goes through here. Those without terms of their own have the edited
 * plan at once. Those with terms of their own keep what they had, unless the edit cascades: their difference is computed
 * anew against the edited plan, so that what it changed becomes theirs.
 */
@Injectable()
export class PlanEditor {
  constructor(
    private readonly database: Database,
    private readonly definitions: MetricDefinitions,
    private readonly units: FixedChargeUnits,
    private readonly drafts: DraftsOfPlan,
  ) {}

  async edit<T>(
    organizationId: string,
    code: string,
    { cascade }: EditOptions,
    work: (edit: Edit) => Promise<T>,
  ): Promise<{ result: T; view: PlanView }> {
    const done = await this.database.tenant(organizationId, async (em) => {
      const plan = await lockedPlan(em, organizationId, code);
      const taxes = await taxesByCode(em, organizationId);
      const terms = await termsOn(em, plan.id);
      const differences = terms.map(({ difference }) => difference);
      const subscriptions = await livingSubscriptions(em, plan.id);
      const before = await readBase(em, plan, differences, true);
      const context = { plan, taxes, settled: subscriptions.length > 0, unitsAtOnce: new Set<string>() };
      const result = await work({ em, context, before });
      plan.updatedAt = new Date();
      await em.flush();

      const after = await readBase(em, plan, differences, false);
      // What the edit took off the plan was live before it.
      const base = {
        ...after,
        formerCharges: [...after.formerCharges, ...before.charges],
        formerFixedCharges: [...after.formerFixedCharges, ...before.fixedCharges],
      };
      const changes = new Map<string, UnitsChange[]>();
      const ofPlan = unitChanges(before, after, context.unitsAtOnce);
      for (const { id } of subscriptions) changes.set(id, ofPlan);
      for (const row of terms) {
        const had = withDifference(before, row.difference);
        const difference = differenceFrom(base, cascade ? withDifference(after, row.difference) : had);
        row.difference = difference;
        const has = withDifference(base, difference);
        if (changes.has(row.subscriptionId)) {
          changes.set(row.subscriptionId, unitChanges(had, has, context.unitsAtOnce));
        }
      }
      await em.flush();
      await meterGroups(em, this.definitions, after);
      const bill = await this.units.changed(em, organizationId, withoutNothing(changes));
      return { result, view: { ...after, taxes, ownedBy: null }, bill };
    });
    await done.bill();
    await this.drafts.refreshDraftsOfPlan(organizationId, done.view.plan.id);
    return done;
  }
}

/** Usage is told apart by whatever the prices of a plan are grouped or presented by, the stored one too. */
export async function meterGroups(em: EntityManager, definitions: MetricDefinitions, rows: PlanRows): Promise<void> {
  for (const { charge, filters } of rows.charges) await groupUsage(em, definitions, charge, [charge, ...filters]);
}

/** @throws 404 `plan_not_found` */
export async function findPlan(em: EntityManager, organizationId: string, code: string): Promise<PlanRow> {
  const plan = await em.findOne(PlanEntity, { organizationId, code, deletedAt: null });
  if (!plan) throw notFound('plan');
  return plan;
}

/** An edit of a plan and a subscription's agreement on terms of its own wait for each other. */
export function lockPlan(em: EntityManager, planId: string): Promise<PlanRow> {
  return em.findOneOrFail(PlanEntity, { id: planId }, { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true });
}

export interface LivingSubscription {
  readonly id: string;
  readonly external_id: string;
  readonly status: 'active' | 'pending';
}

export async function livingSubscriptions(em: EntityManager, planId: string): Promise<LivingSubscription[]> {
  return em.execute<LivingSubscription[]>(
    `select id, external_id, status from subscriptions where plan_id = ? and status in ('pending', 'active')`,
    [planId],
  );
}

async function lockedPlan(em: EntityManager, organizationId: string, code: string): Promise<PlanRow> {
  const { id } = await findPlan(em, organizationId, code);
  const plan = await lockPlan(em, id);
  if (plan.deletedAt != null) throw notFound('plan');
  return plan;
}

// One that has ended may still have drafts.
async function termsOn(em: EntityManager, planId: string) {
  const rows = await em.execute<{ id: string }[]>(
    `select t.subscription_id as id from subscription_terms t join subscriptions s on s.id = t.subscription_id
      where s.plan_id = ? and s.status <> 'canceled'`,
    [planId],
  );
  return em.find(SubscriptionTermsEntity, { subscriptionId: { $in: rows.map(({ id }) => id) } });
}

async function readBase(
  em: EntityManager,
  { id }: PlanRow,
  differences: Parameters<typeof readBasePlans>[2],
  detached: boolean,
) {
  const plans = await readBasePlans(em, [id], differences, { detached });
  return plans.get(id)!;
}

function withoutNothing(changes: ReadonlyMap<string, readonly UnitsChange[]>) {
  return new Map([...changes].filter(([, changed]) => changed.length > 0));
}
