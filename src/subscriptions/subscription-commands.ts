import { randomUUID } from 'node:crypto';
import { lockPlan } from '../catalog/plan-editor.js';
import type { PlanView } from '../catalog/plan-view.js';
import { PlanEntity } from '../catalog/plan.entity.js';
import { loadRatedPlan, loadSubscriptionPlan, type RatedPlan } from '../catalog/rated-plan.js';
import type { SubscriptionTerms, TermsChanged } from '../catalog/subscription-terms.js';
import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import { newCustomer } from '../customers/new-customer.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { Waker } from '../due-moments/due-moments.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { changeUnits } from './fixed-charge-units.js';
import { clampedStart, type Life, lockedLife } from './life.js';
import { endInstant, firstStart, trialEnd } from './lifecycle.js';
import { moveSubscriptions } from './moving.js';
import { extendTrial, pause, resume } from './pause.js';
import { cancelSuccessor, changePlan, type Commanded, type NextPlan, startOfSecond, takeOver } from './plan-change.js';
import {
  type CreateSubscription,
  SubscriptionsService,
  type SubscriptionStatus,
  type TerminateSubscription,
  type TermsChange,
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
    private readonly database: Pick<Database, 'tenant'>,
    private readonly waker: Waker,
    private readonly terms: SubscriptionTerms,
  ) {
    super();
  }

  create(organizationId: string, input: CreateSubscription): Promise<string> {
    return this.command(organizationId, (em) => createSubscription(em, this.terms, organizationId, input));
  }

  update(
    organizationId: string,
    externalId: string,
    status: SubscriptionStatus,
    changes: UpdateSubscription,
  ): Promise<string> {
    return this.command(organizationId, async (em) => {
      const { planOverrides } = changes;
      if (planOverrides === undefined) return updateSubscription(em, organizationId, externalId, status, changes);
      const { subscription, household, due } = await this.ownTerms(em, organizationId, externalId, status, (on) =>
        this.terms.override(em, on, planOverrides),
      );
      const { currency } = (await loadSubscriptionPlan(em, subscription)).plan;
      if (household.customer.currency !== currency) throw currencyMismatch();
      const updated = await updateSubscription(em, organizationId, externalId, status, changes);
      return { id: updated.id, due: updated.due.length > 0 ? updated.due : due };
    });
  }

  async changeTerms(
    organizationId: string,
    externalId: string,
    status: 'active' | 'pending',
    { work, atOnce }: TermsChange,
  ): Promise<PlanView> {
    const { view, due } = await this.database.tenant(organizationId, (em) =>
      this.ownTerms(em, organizationId, externalId, status, (on) =>
        this.terms.change(
          em,
          on,
          (rows, taxes) => work(rows, taxes, on.id),
          (rows) => atOnce?.(rows, on.id) ?? new Set(),
        ),
      ),
    );
    await this.waker.wake(due);
    return view;
  }

  // The plan is locked before the life, as an edit of the plan does with those who are on it.
  private async ownTerms(
    em: EntityManager,
    organizationId: string,
    externalId: string,
    status: SubscriptionStatus,
    change: (subscription: SubscriptionRow) => Promise<TermsChanged>,
  ) {
    if (status !== 'active' && status !== 'pending') throw notFound('subscription');
    const named = { organizationId, externalId, status };
    const found = await em.findOne(SubscriptionEntity, named, { orderBy: { ordinal: 'desc' } });
    if (found === null) throw notFound('subscription');
    const { planId } = found;
    await lockPlan(em, planId);
    const life = await lockedLife(em, organizationId, externalId);
    const subscription = life.all.findLast((one) => one.status === status && one.planId === planId);
    if (subscription === undefined) throw notFound('subscription');
    const household = await householdOf(em, subscription);
    const former = await loadSubscriptionPlan(em, subscription);
    const { view, units } = await change(subscription);
    const billed = await changeUnits(em, subscription, household, units);
    // Its trial or its first bill may be others now.
    const plan = await loadSubscriptionPlan(em, subscription);
    if (plan.plan.trialDays !== former.plan.trialDays) moveTrial(life, subscription, plan, household);
    await em.flush();
    const due = billed.length > 0 ? billed : await scheduleNext(em, subscription, plan, household);
    return { subscription, household, view, due };
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

  pause(organizationId: string, externalId: string, resumeAt: Date | null): Promise<string> {
    return this.activeOne(organizationId, externalId, (em, current, household) =>
      pause(em, current, resumeAt, household),
    );
  }

  resume(organizationId: string, externalId: string, resumeAt: Date | null): Promise<string> {
    return this.activeOne(organizationId, externalId, (em, current, household) =>
      resume(em, current, resumeAt, household),
    );
  }

  extendTrial(organizationId: string, externalId: string, trialEndsAt: Date): Promise<string> {
    return this.activeOne(organizationId, externalId, (em, current, household) =>
      extendTrial(em, current, trialEndsAt, household),
    );
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

  async moved(
    em: EntityManager,
    customer: CustomerRow,
    zones: { readonly from: string; readonly to: string },
  ): Promise<() => Promise<void>> {
    const due = await moveSubscriptions(em, customer, zones);
    return () => this.waker.wake(due);
  }

  async organizationMoved(
    em: EntityManager,
    organizationId: string,
    zones: { readonly from: string; readonly to: string },
  ): Promise<() => Promise<void>> {
    const customers = await em.find(
      CustomerEntity,
      { organizationId, timezone: null, deletedAt: null },
      { orderBy: { id: 'asc' } },
    );
    const due: DueMomentRow[] = [];
    for (const customer of customers) due.push(...(await moveSubscriptions(em, customer, zones)));
    return () => this.waker.wake(due);
  }

  private activeOne(
    organizationId: string,
    externalId: string,
    work: (em: EntityManager, current: SubscriptionRow, household: Household) => Promise<Commanded>,
  ): Promise<string> {
    return this.command(organizationId, async (em) => {
      const before = await lockedLife(em, organizationId, externalId);
      if (before.active === null) throw notFound('subscription');
      const household = await householdOf(em, before.active);
      const { life, due } = await upToDate(em, before, household);
      if (life.active === null) throw notFound('subscription');
      const commanded = await work(em, life.active, household);
      return { id: commanded.id, due: [...due, ...commanded.due] };
    });
  }

  private async command(organizationId: string, work: (em: EntityManager) => Promise<Commanded>): Promise<string> {
    const { id, due } = await this.database.tenant(organizationId, work);
    await this.waker.wake(due);
    return id;
  }
}

async function createSubscription(
  em: EntityManager,
  terms: SubscriptionTerms,
  organizationId: string,
  input: CreateSubscription,
): Promise<Commanded> {
  const asked = await planAskedFor(em, terms, organizationId, input);
  const { currency } = asked.plan.plan;
  const customer = await customerFor(em, organizationId, input.externalCustomerId, currency);
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
      ? await startLife(em, organizationId, life, asked, input, household)
      : await changePlan(em, life, current, asked, input, household);
  return { id: commanded.id, due: [...due, ...commanded.due] };
}

// A trial that is over stays over, and what was billed for a start without one is not given back.
function moveTrial({ all }: Life, subscription: SubscriptionRow, { plan }: RatedPlan, { now }: Household): void {
  const { startedAt, trialEndsAt = null } = subscription;
  if (startedAt == null) return;
  const isRunning = trialEndsAt !== null && trialEndsAt > now;
  const isFresh = trialEndsAt === null && !plan.payInAdvance;
  if (isRunning || isFresh) subscription.trialEndsAt = trialEnd(firstStart(all) ?? startedAt, plan.trialDays);
}

async function planAskedFor(
  em: EntityManager,
  terms: SubscriptionTerms,
  organizationId: string,
  { planCode, planOverrides }: CreateSubscription,
): Promise<NextPlan> {
  const row = await em.findOne(PlanEntity, { organizationId, code: planCode, deletedAt: null });
  if (row === null) throw notFound('plan');
  if (planOverrides === undefined) {
    return { plan: await loadRatedPlan(em, row.id), hasTerms: false, store: () => Promise.resolve() };
  }
  const agreed = await terms.agree(em, organizationId, row.id, planOverrides);
  return { plan: agreed.plan, hasTerms: true, store: (tx, subscriptionId) => terms.store(tx, subscriptionId, agreed) };
}

async function startLife(
  em: EntityManager,
  organizationId: string,
  { all: former }: Life,
  { plan, store }: NextPlan,
  input: CreateSubscription,
  household: Household,
): Promise<Commanded> {
  const { customer, zone, now } = household;
  // Gateways date events in whole seconds: one sent right after this call must not lie before the start.
  const subscriptionAt = input.subscriptionAt ?? startOfSecond(now);
  if (input.endingAt != null && endInstant(input.endingAt, zone) <= subscriptionAt.getTime()) {
    throw validationFailed({ ending_at: ['invalid_date'] });
  }
  const startedAt = subscriptionAt.getTime() <= now.getTime() ? clampedStart(subscriptionAt, former) : null;
  const subscription = em.create(SubscriptionEntity, {
    id: randomUUID(),
    organizationId,
    customerId: customer.id,
    externalId: input.externalId,
    ordinal: Math.max(0, ...former.map((one) => one.ordinal)) + 1,
    planId: plan.row.id,
    name: input.name,
    status: startedAt === null ? 'pending' : 'active',
    billingTime: input.billingTime,
    subscriptionAt,
    startedAt,
    endingAt: input.endingAt ?? null,
    trialEndsAt: startedAt === null ? null : trialEnd(firstStart(former) ?? startedAt, plan.plan.trialDays),
    nextPlanAtOnce: false,
    onTerminationInvoice: 'generate',
    createdAt: now,
    updatedAt: now,
  });
  await em.flush();
  await store(em, subscription.id);
  return { id: subscription.id, due: await scheduleNext(em, subscription, plan, household) };
}

async function customerFor(
  em: EntityManager,
  organizationId: string,
  externalId: string,
  currency: string,
): Promise<CustomerRow> {
  const known = await em.findOne(CustomerEntity, { organizationId, externalId, deletedAt: null });
  const customer = known ?? (await newCustomer(em, organizationId, externalId));
  if (customer.currency != null && customer.currency !== currency) throw currencyMismatch();
  customer.currency = currency;
  await em.flush();
  return customer;
}

function currencyMismatch() {
  return validationFailed({ currency: ['currencies_does_not_match'] });
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
