import { randomUUID } from 'node:crypto';
import { loadSubscriptionPlan, type RatedPlan } from '../catalog/rated-plan.js';
import { SubscriptionTermsEntity } from '../catalog/subscription-terms.entity.js';
import { isUpgrade } from '../domain/catalog/plan.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { EntityManager } from '../platform/database/database.js';
import { methodNotAllowed, validationFailed } from '../platform/http/errors.js';
import { endInstant, firstStart, isPaused, nextPeriodStart, trialEnd } from './lifecycle.js';
import { type Life, successorOf } from './life.js';
import type { CreateSubscription } from './ports.js';
import { type Household, scheduleNext } from './schedule.js';
import { SubscriptionEntity, type SubscriptionRow } from './subscription.entity.js';

/** What a command leads to: the subscription that the caller is shown, and what its workflows are to be told. */
export interface Commanded {
  readonly id: string;
  readonly due: readonly DueMomentRow[];
}

/** The plan that is asked for, with terms of its own that are agreed on already. */
export interface NextPlan {
  readonly plan: RatedPlan;
  readonly hasTerms: boolean;
  /** Gives the subscription that is made its terms; to be called once it is stored. */
  readonly store: (em: EntityManager, subscriptionId: string) => Promise<void>;
}

/**
 * Another plan for a life that goes on (lago-api.md 2.6). One that costs as much or more in a year takes over at once, a
 * cheaper one when the next period begins; until then it waits as a pending subscription, and another change replaces it.
 * Not started yet, a subscription just changes its plan.
 * The same plan with terms of its own is another plan; without, asking for it again changes nothing.
 *
 * What both plans owe is billed by one step, the `plan_change` of the old one's workflow.
 */
export async function changePlan(
  em: EntityManager,
  life: Life,
  current: SubscriptionRow,
  asked: NextPlan,
  input: CreateSubscription,
  household: Household,
): Promise<Commanded> {
  const { plan, hasTerms } = asked;
  const planId = plan.row.id;
  if (current.planId === planId && !hasTerms) return { id: current.id, due: [] };
  if (isPaused(current, household.now)) throw methodNotAllowed('subscription_is_paused');
  if (current.status === 'pending') return inPlace(em, current, asked, input, household);
  // Asked for twice, a change that waits already goes on waiting.
  if (life.pending?.planId === planId && input.endingAt === undefined && !hasTerms) return { id: current.id, due: [] };
  const old = await loadSubscriptionPlan(em, current);
  await cancelSuccessor(em, life, current, household);
  return isUpgrade(old.plan, plan.plan)
    ? atOnce(em, life, { current, old, asked }, input, household)
    : atNextPeriod(em, life, { current, old, asked }, input, household);
}

interface Change {
  readonly current: SubscriptionRow;
  readonly old: RatedPlan;
  readonly asked: NextPlan;
}

async function inPlace(
  em: EntityManager,
  current: SubscriptionRow,
  { plan, store }: NextPlan,
  input: CreateSubscription,
  household: Household,
): Promise<Commanded> {
  current.planId = plan.row.id;
  current.name = input.name ?? current.name ?? null;
  current.updatedAt = household.now;
  await em.flush();
  await em.nativeDelete(SubscriptionTermsEntity, { subscriptionId: current.id });
  await store(em, current.id);
  return { id: current.id, due: await scheduleNext(em, current, plan, household) };
}

async function atOnce(
  em: EntityManager,
  life: Life,
  { current, old, asked }: Change,
  input: CreateSubscription,
  household: Household,
): Promise<Commanded> {
  const at = commandInstant(current, household.now);
  const endingAt = endOfSuccessor(input, current, at, household.zone);
  end(current, at, household.now);
  current.nextPlanAt = at;
  current.nextPlanAtOnce = true;
  await em.flush();
  const next = successor(em, life, current, asked.plan, { ...input, endingAt }, household);
  begin(next, asked.plan, life.all, { at, now: household.now, granted: grantedTrial(current, old, life.all) });
  await em.flush();
  await asked.store(em, next.id);
  const due = await scheduleNext(em, current, old, household);
  return { id: next.id, due: [...due, ...(await scheduleNext(em, next, asked.plan, household))] };
}

async function atNextPeriod(
  em: EntityManager,
  life: Life,
  { current, old, asked }: Change,
  input: CreateSubscription,
  household: Household,
): Promise<Commanded> {
  const { now, zone } = household;
  const at = nextPeriodStart(current, old.plan, zone, now);
  const endingAt = endOfSuccessor(input, current, at, zone);
  const next = successor(em, life, current, asked.plan, { ...input, endingAt }, household);
  current.nextPlanAt = at;
  current.nextPlanAtOnce = false;
  current.updatedAt = now;
  await em.flush();
  await asked.store(em, next.id);
  return { id: current.id, due: await scheduleNext(em, current, old, household) };
}

/** Takes back a change of plan that has not come yet; the caller stores what comes next for the one that stays. */
export async function cancelSuccessor(
  em: EntityManager,
  { pending }: Life,
  current: SubscriptionRow,
  { now }: Pick<Household, 'now'>,
): Promise<void> {
  if (pending === null || pending.previousSubscriptionId !== current.id) return;
  pending.status = 'canceled';
  pending.canceledAt = now;
  pending.updatedAt = now;
  current.nextPlanAt = null;
  await em.flush();
}

/**
 * The next plan takes over: the old subscription ends, its successor begins. Done by the step at that instant, or before it
 * by a command that comes when the step is overdue (a herd that is spread, an outage).
 */
export async function takeOver(em: EntityManager, old: SubscriptionRow, at: Date, now: Date): Promise<SubscriptionRow> {
  const next = await successorOf(em, old);
  if (next === null) throw new Error(`subscription ${old.id} changes its plan and has no successor`);
  if (old.status === 'active') end(old, at, now);
  await em.flush();
  if (next.status === 'pending') {
    const all = await em.find(SubscriptionEntity, { organizationId: old.organizationId, externalId: old.externalId });
    const granted = grantedTrial(old, await loadSubscriptionPlan(em, old), all);
    begin(next, await loadSubscriptionPlan(em, next), all, { at, now, granted });
    await em.flush();
  }
  return next;
}

function end(subscription: SubscriptionRow, at: Date, now: Date): void {
  subscription.status = 'terminated';
  subscription.terminatedAt = at;
  subscription.updatedAt = now;
}

function begin(
  next: SubscriptionRow,
  plan: RatedPlan,
  all: readonly SubscriptionRow[],
  { at, now, granted }: { at: Date; now: Date; granted: Date | null },
): void {
  const trial = trialEnd(firstStart(all) ?? at, plan.plan.trialDays);
  next.status = 'active';
  next.startedAt = at;
  next.trialEndsAt = granted === null || (trial !== null && trial > granted) ? trial : granted;
  next.updatedAt = now;
}

// A trial that was extended goes on with the next plan; one by the old plan's own terms does not.
function grantedTrial(old: SubscriptionRow, { plan }: RatedPlan, all: readonly SubscriptionRow[]): Date | null {
  if (old.trialEndsAt == null || old.startedAt == null) return null;
  const byTerms = trialEnd(firstStart(all) ?? old.startedAt, plan.trialDays);
  return byTerms === null || old.trialEndsAt > byTerms ? old.trialEndsAt : null;
}

// What the customer agreed on stays: the anchor of its periods, and how they are cut.
function successor(
  em: EntityManager,
  life: Life,
  current: SubscriptionRow,
  plan: RatedPlan,
  input: Pick<CreateSubscription, 'name' | 'endingAt'>,
  { now }: Household,
): SubscriptionRow {
  return em.create(SubscriptionEntity, {
    id: randomUUID(),
    organizationId: current.organizationId,
    customerId: current.customerId,
    externalId: current.externalId,
    ordinal: Math.max(...life.all.map((one) => one.ordinal)) + 1,
    planId: plan.row.id,
    previousSubscriptionId: current.id,
    name: input.name ?? current.name ?? null,
    status: 'pending',
    billingTime: current.billingTime,
    subscriptionAt: current.subscriptionAt,
    endingAt: input.endingAt ?? null,
    nextPlanAtOnce: false,
    onTerminationInvoice: 'generate',
    createdAt: now,
    updatedAt: now,
  });
}

function endOfSuccessor(
  { endingAt }: Pick<CreateSubscription, 'endingAt'>,
  current: SubscriptionRow,
  at: Date,
  zone: string,
): Date | null {
  if (endingAt === undefined) return current.endingAt ?? null;
  if (endingAt !== null && endInstant(endingAt, zone) <= at.getTime()) {
    throw validationFailed({ ending_at: ['invalid_date'] });
  }
  return endingAt;
}

/**
 * The nominal instant of a command that divides a life in two. Gateways date events in whole seconds: one sent right after
 * it belongs to what follows. What has been billed before stays.
 */
export function commandInstant(current: SubscriptionRow, now: Date): Date {
  const done = current.doneAt?.getTime() ?? 0;
  const { startedAt, pausedAt, resumeAt } = current;
  const past = [startedAt, pausedAt, resumeAt].flatMap((one) => (one == null || one > now ? [] : [one.getTime()]));
  return new Date(Math.max(startOfSecond(now).getTime(), done, ...past));
}

export function startOfSecond(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000);
}
