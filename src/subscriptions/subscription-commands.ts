import { randomUUID } from 'node:crypto';
import { PlanEntity, type PlanRow } from '../catalog/plan.entity.js';
import { loadRatedPlan, loadSubscriptionPlan } from '../catalog/rated-plan.js';
import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import { newCustomer } from '../customers/new-customer.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { Waker } from '../due-moments/due-moments.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { clampedStart, type Life, lockedLife } from './life.js';
import { endInstant, firstStart, trialEnd } from './lifecycle.js';
import { cancelSuccessor, changePlan, type Commanded, startOfSecond, takeOver } from './plan-change.js';
import {
  type CreateSubscription,
  SubscriptionsService,
  type SubscriptionStatus,
  type TerminateSubscription,
  type TerminationOptions,
  type UpdateSubscription,
} from './ports.js';
import { type Household, scheduleNext, zoneOf } from './schedule.js';
import { SubscriptionEntity, type SubscriptionRow } from './subscription.entity.js';

/**
 * The commands of a subscription's life. Each stores its decision with the due moments that follow from it in one
 * transaction, and only then tells the workflows: the record is right even when Temporal cannot be reached.
 */
export class SubscriptionCommands extends SubscriptionsService {
  constructor(
    private readonly database: Database,
    private readonly waker: Waker,
  ) {
    super();
  }

  create(organizationId: string, input: CreateSubscription): Promise<string> {
    return this.command(organizationId, (em) => createSubscription(em, organizationId, input));
  }

  update(
    organizationId: string,
    externalId: string,
    status: SubscriptionStatus,
    changes: UpdateSubscription,
  ): Promise<string> {
    return this.command(organizationId, (em) => updateSubscription(em, organizationId, externalId, status, changes));
  }

  terminate(organizationId: string, externalId: string, options: TerminateSubscription): Promise<string> {
    return this.command(organizationId, async (em) => {
      const life = await lockedLife(em, organizationId, externalId);
      const subscription = options.status === 'pending' ? life.pending : life.active;
      if (subscription === null) throw notFound('subscription');
      const household = await householdOf(em, subscription);
      const overdue = await upToDate(em, life, household);
      // Ended by its own date before this command came: that end holds.
      if (subscription.status === 'terminated' && overdue.life.active === null) return { id: subscription.id, due: [] };
      const meant = options.status === 'pending' ? overdue.life.pending : overdue.life.active;
      if (meant === null) throw notFound('subscription');
      const due = await endNow(em, overdue.life, meant, options, household);
      return { id: meant.id, due: [...overdue.due, ...due] };
    });
  }

  async terminateAll(organizationId: string, customerId: string): Promise<void> {
    const moments = await this.database.tenant(organizationId, async (em) => {
      const living = await em.find(
        SubscriptionEntity,
        { customerId, status: { $in: ['active', 'pending'] } },
        { orderBy: { externalId: 'asc' } },
      );
      const due: DueMomentRow[] = [];
      for (const externalId of new Set(living.map((one) => one.externalId))) {
        const life = await lockedLife(em, organizationId, externalId);
        for (const one of [life.active, life.pending]) {
          if (one === null || (one.status !== 'active' && one.status !== 'pending')) continue;
          due.push(...(await endNow(em, life, one, { onTerminationInvoice: 'generate' }, await householdOf(em, one))));
        }
      }
      return due;
    });
    await this.waker.wake(moments);
  }

  private async command(organizationId: string, work: (em: EntityManager) => Promise<Commanded>): Promise<string> {
    const { id, due } = await this.database.tenant(organizationId, work);
    await this.waker.wake(due);
    return id;
  }
}

async function createSubscription(
  em: EntityManager,
  organizationId: string,
  input: CreateSubscription,
): Promise<Commanded> {
  const plan = await em.findOne(PlanEntity, { organizationId, code: input.planCode, deletedAt: null });
  if (plan === null) throw notFound('plan');
  const customer = await customerFor(em, organizationId, input.externalCustomerId, plan);
  const zone = await zoneOf(em, organizationId, customer);
  const household = { customer, zone, now: await presentOn(em, customer.testClockId) };
  const before = await lockedLife(em, organizationId, input.externalId);
  const living = before.active ?? before.pending;
  // A living one is known by its customer; another's name cannot be taken.
  if (living !== null && living.customerId !== customer.id) {
    throw validationFailed({ external_id: ['value_already_exist'] });
  }
  const { life, due } = await upToDate(em, before, household);
  const current = life.active ?? life.pending;
  const commanded =
    current === null
      ? await startLife(em, organizationId, life, plan, input, household)
      : await changePlan(em, life, current, plan.id, input, household);
  return { id: commanded.id, due: [...due, ...commanded.due] };
}

async function startLife(
  em: EntityManager,
  organizationId: string,
  { all: former }: Life,
  plan: PlanRow,
  input: CreateSubscription,
  household: Household,
): Promise<Commanded> {
  const { customer, zone, now } = household;
  // Gateways date events in whole seconds: one sent right after this call must not lie before the start.
  const subscriptionAt = input.subscriptionAt ?? startOfSecond(now);
  if (input.endingAt != null && endInstant(input.endingAt, zone) <= subscriptionAt.getTime()) {
    throw validationFailed({ ending_at: ['invalid_date'] });
  }
  const rated = await loadRatedPlan(em, plan.id);
  const startedAt = subscriptionAt.getTime() <= now.getTime() ? clampedStart(subscriptionAt, former) : null;
  const subscription = em.create(SubscriptionEntity, {
    id: randomUUID(),
    organizationId,
    customerId: customer.id,
    externalId: input.externalId,
    ordinal: Math.max(0, ...former.map((one) => one.ordinal)) + 1,
    planId: plan.id,
    name: input.name,
    status: startedAt === null ? 'pending' : 'active',
    billingTime: input.billingTime,
    subscriptionAt,
    startedAt,
    endingAt: input.endingAt ?? null,
    trialEndsAt: startedAt === null ? null : trialEnd(firstStart(former) ?? startedAt, rated.plan.trialDays),
    nextPlanAtOnce: false,
    onTerminationInvoice: 'generate',
    createdAt: now,
    updatedAt: now,
  });
  await em.flush();
  return { id: subscription.id, due: await scheduleNext(em, subscription, rated, household) };
}

async function customerFor(
  em: EntityManager,
  organizationId: string,
  externalId: string,
  plan: PlanRow,
): Promise<CustomerRow> {
  const known = await em.findOne(CustomerEntity, { organizationId, externalId, deletedAt: null });
  const customer = known ?? (await newCustomer(em, organizationId, externalId));
  if (customer.currency != null && customer.currency !== plan.amountCurrency) {
    throw validationFailed({ currency: ['currencies_does_not_match'] });
  }
  customer.currency = plan.amountCurrency;
  await em.flush();
  return customer;
}

async function updateSubscription(
  em: EntityManager,
  organizationId: string,
  externalId: string,
  status: SubscriptionStatus,
  changes: UpdateSubscription,
): Promise<Commanded> {
  const life = await lockedLife(em, organizationId, externalId);
  const subscription = life.all.findLast((one) => one.status === status);
  if (subscription === undefined) throw notFound('subscription');
  const household = await householdOf(em, subscription);
  const { now, zone } = household;
  const living = status === 'active' || status === 'pending';
  const plan = await loadSubscriptionPlan(em, subscription);
  if (changes.name !== undefined) subscription.name = changes.name;
  if (living) {
    if (changes.onTerminationInvoice !== undefined) subscription.onTerminationInvoice = changes.onTerminationInvoice;
    if (changes.onTerminationCreditNote !== undefined && plan.plan.payInAdvance) {
      subscription.onTerminationCreditNote = changes.onTerminationCreditNote;
    }
  }
  const movesStart =
    changes.subscriptionAt !== undefined && status === 'pending' && subscription.previousSubscriptionId == null;
  if (movesStart) subscription.subscriptionAt = changes.subscriptionAt as Date;
  const movesEnd = changes.endingAt !== undefined && living;
  if (movesEnd) moveEnd(life, subscription, changes.endingAt ?? null);
  if ((movesStart || movesEnd) && subscription.endingAt != null) {
    const from = movesEnd
      ? Math.max(now.getTime(), subscription.subscriptionAt.getTime())
      : subscription.subscriptionAt.getTime();
    if (endInstant(subscription.endingAt, zone) < from) throw validationFailed({ ending_at: ['invalid_date'] });
  }
  subscription.updatedAt = now;
  await em.flush();
  const due = movesStart || movesEnd ? await scheduleNext(em, subscription, plan, household) : [];
  return { id: subscription.id, due };
}

// What waits to follow was to end with it, unless it was given an end of its own.
function moveEnd({ pending }: Life, subscription: SubscriptionRow, endingAt: Date | null): void {
  const former = subscription.endingAt?.getTime();
  if (pending?.previousSubscriptionId === subscription.id && pending.endingAt?.getTime() === former) {
    pending.endingAt = endingAt;
  }
  subscription.endingAt = endingAt;
}

// The state changes here, at once, for the caller to see; the last period is billed by the workflow's next step.
async function endNow(
  em: EntityManager,
  life: Life,
  subscription: SubscriptionRow,
  options: TerminationOptions,
  household: Household,
): Promise<DueMomentRow[]> {
  const { now } = household;
  if (subscription.status === 'pending') return cancel(em, life, subscription, household);
  const plan = await loadSubscriptionPlan(em, subscription);
  await cancelSuccessor(em, life, subscription, household);
  subscription.status = 'terminated';
  subscription.terminatedAt = now;
  subscription.onTerminationInvoice = options.onTerminationInvoice ?? subscription.onTerminationInvoice;
  if (plan.plan.payInAdvance) {
    subscription.onTerminationCreditNote =
      options.onTerminationCreditNote ?? subscription.onTerminationCreditNote ?? 'credit';
  }
  subscription.updatedAt = now;
  await em.flush();
  return scheduleNext(em, subscription, plan, household);
}

// One that was to follow another leaves that one as it is; one of its own has a workflow that waits for its start.
async function cancel(
  em: EntityManager,
  life: Life,
  subscription: SubscriptionRow,
  household: Household,
): Promise<DueMomentRow[]> {
  const followed = life.all.find((one) => one.id === subscription.previousSubscriptionId);
  const stays = followed ?? subscription;
  if (followed !== undefined) await cancelSuccessor(em, life, followed, household);
  else {
    subscription.status = 'canceled';
    subscription.canceledAt = household.now;
    subscription.updatedAt = household.now;
    await em.flush();
  }
  return scheduleNext(em, stays, await loadSubscriptionPlan(em, stays), household);
}

/**
 * What is due by now counts as happened for a command, even if its step has not been performed yet (a herd that is spread,
 * an outage): a subscription whose own end has passed is over, and the next plan has taken over. The steps that bill it
 * remain due.
 */
async function upToDate(
  em: EntityManager,
  life: Life,
  household: Household,
): Promise<{ life: Life; due: readonly DueMomentRow[] }> {
  const { active, pending } = life;
  const { now, zone } = household;
  if (active === null) return { life, due: [] };
  const endsAt = active.endingAt == null ? Infinity : endInstant(active.endingAt, zone);
  const changesAt = active.nextPlanAt?.getTime() ?? Infinity;
  if (Math.min(endsAt, changesAt) > now.getTime()) return { life, due: [] };
  if (endsAt <= changesAt) {
    await cancelSuccessor(em, life, active, household);
    active.status = 'terminated';
    active.terminatedAt = new Date(endsAt);
    active.updatedAt = now;
    await em.flush();
    return { life: { ...life, active: null, pending: pending?.status === 'pending' ? pending : null }, due: [] };
  }
  const next = await takeOver(em, active, new Date(changesAt), now);
  const due = await scheduleNext(em, next, await loadSubscriptionPlan(em, next), household);
  return { life: { ...life, active: next, pending: null }, due };
}

async function householdOf(em: EntityManager, subscription: SubscriptionRow): Promise<Household> {
  const customer = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
  const zone = await zoneOf(em, subscription.organizationId, customer);
  return { customer, zone, now: await presentOn(em, customer.testClockId) };
}
