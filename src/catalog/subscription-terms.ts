import { type TaxRow, taxesByCode } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import type { PlanOverrides } from './charge.input.js';
import { findFixedCharge, withOverrides } from './overrides.js';
import { differenceFrom, type PlanDifference, withDifference } from './plan-difference.js';
import { lockPlan, meterGroups } from './plan-editor.js';
import type { PlanRows } from './plan-rows.js';
import type { PlanView } from './plan-view.js';
import type { MetricDefinitions, UnitsChange } from './ports.js';
import { type RatedPlan, ratedPlan } from './rated-plan.js';
import { readBasePlans } from './subscription-plan.js';
import { SubscriptionTermsEntity } from './subscription-terms.entity.js';
import { unitChanges } from './unit-changes.js';

/** Terms that are agreed on before the subscription is there to have them. */
export interface AgreedTerms {
  readonly organizationId: string;
  readonly difference: PlanDifference;
  readonly rows: PlanRows;
  /** The plan as the subscription will have it. */
  readonly plan: RatedPlan;
}

interface OnPlan {
  readonly id: string;
  readonly planId: string;
  readonly organizationId: string;
}

export interface TermsChanged {
  readonly view: PlanView;
  readonly units: readonly UnitsChange[];
}

/**
 * The terms of a subscription of its own. Kept as the difference from its plan (see `plan-difference`), so that a plan with
 * a thousand negotiated contracts is still one plan.
 *
 * Whoever changes them locks the plan first and the life of the subscription behind it, as an edit of the plan does.
 */
export class SubscriptionTerms {
  constructor(private readonly definitions: MetricDefinitions) {}

  /** What a subscription on this plan would have. @throws 404 and 422 as `withOverrides` */
  async agree(em: EntityManager, organizationId: string, planId: string, input: PlanOverrides): Promise<AgreedTerms> {
    await lockPlan(em, planId);
    const base = (await readBasePlans(em, [planId], [])).get(planId)!;
    const rows = withOverrides(base, null, input, await taxesByCode(em, organizationId));
    const difference = differenceFrom(base, rows);
    return { organizationId, difference, rows, plan: ratedPlan(rows) };
  }

  /** Agreed terms become those of a subscription that has none. */
  async store(em: EntityManager, subscriptionId: string, terms: AgreedTerms): Promise<void> {
    const now = new Date();
    const { organizationId, difference } = terms;
    em.create(SubscriptionTermsEntity, { subscriptionId, organizationId, difference, createdAt: now, updatedAt: now });
    await em.flush();
    await meterGroups(em, this.definitions, terms.rows);
  }

  /** Another plan, other terms. */
  async drop(em: EntityManager, subscriptionId: string): Promise<void> {
    await em.nativeDelete(SubscriptionTermsEntity, { subscriptionId });
  }

  /**
   * Changes what a subscription has; `atOnce` names the fixed charges whose units do not wait for the next period. The
   * caller dates the units.
   */
  async change(
    em: EntityManager,
    { id, planId, organizationId }: OnPlan,
    work: (rows: PlanRows, taxes: ReadonlyMap<string, TaxRow>) => PlanRows,
    atOnce: (rows: PlanRows) => ReadonlySet<string> = () => new Set(),
  ): Promise<TermsChanged> {
    await lockPlan(em, planId);
    const taxes = await taxesByCode(em, organizationId);
    const stored = await em.findOne(SubscriptionTermsEntity, { subscriptionId: id }, { refresh: true });
    const former = stored?.difference ?? {};
    const base = (await readBasePlans(em, [planId], [former])).get(planId)!;
    const before = withDifference(base, former);
    const rows = work(before, taxes);
    const difference = differenceFrom(base, rows);
    if (stored === null) await this.store(em, id, { organizationId, difference, rows, plan: ratedPlan(rows) });
    else {
      stored.difference = difference;
      stored.updatedAt = new Date();
      await em.flush();
      await meterGroups(em, this.definitions, rows);
    }
    return { view: { ...rows, taxes, ownedBy: id }, units: unitChanges(before, rows, atOnce(rows)) };
  }

  /** As `change`, with everything a request names. */
  override(em: EntityManager, subscription: OnPlan, input: PlanOverrides): Promise<TermsChanged> {
    return this.change(
      em,
      subscription,
      (rows, taxes) => withOverrides(rows, subscription.id, input, taxes),
      (rows) => unitsAtOnce(rows, subscription.id, input),
    );
  }
}

function unitsAtOnce(rows: PlanRows, subscriptionId: string, input: PlanOverrides): ReadonlySet<string> {
  const named = (input.fixed_charges ?? []).filter((one) => one.apply_units_immediately === true);
  return new Set(named.map((one) => findFixedCharge(rows, subscriptionId, one).fixedCharge.id));
}
