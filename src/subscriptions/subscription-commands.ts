import { randomUUID } from 'node:crypto';
import { subscriptionWorkflowId } from '../../workflows/subscription.contract.js';
import { PlanEntity, type PlanRow } from '../catalog/plan.entity.js';
import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import { newCustomer } from '../customers/new-customer.js';
import type { DueMomentRow } from '../due-moments/due-moment.entity.js';
import { lockDueMoment, storeDueMoment, type Waker } from '../due-moments/due-moments.js';
import { OrganizationEntity } from '../organizations/organization.entity.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { methodNotAllowed, notFound, validationFailed } from '../platform/http/errors.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { endInstant, nextDueOf, trialEnd } from './lifecycle.js';
import {
  type CreateSubscription,
  SubscriptionsService,
  type SubscriptionStatus,
  type TerminateSubscription,
  type UpdateSubscription,
} from './ports.js';
import { SubscriptionEntity, type SubscriptionRow } from './subscription.entity.js';

/**
 * The commands of a subscription's life. Each stores its decision with the due moment that follows from it in one
 * transaction, and only then tells the workflow: the record is right even when Temporal cannot be reached.
 */
export class SubscriptionCommands extends SubscriptionsService {
  constructor(
    private readonly database: Database,
    private readonly waker: Waker,
  ) {
    super();
  }

  async create(organizationId: string, input: CreateSubscription): Promise<string> {
    const { id, due } = await this.database.tenant(organizationId, (em) =>
      createSubscription(em, organizationId, input),
    );
    if (due !== null) await this.waker.wake([due]);
    return id;
  }

  async update(
    organizationId: string,
    externalId: string,
    status: SubscriptionStatus,
    changes: UpdateSubscription,
  ): Promise<string> {
    const { id, due } = await this.database.tenant(organizationId, (em) =>
      updateSubscription(em, organizationId, externalId, status, changes),
    );
    if (due !== null) await this.waker.wake([due]);
    return id;
  }

  async terminate(organizationId: string, externalId: string, options: TerminateSubscription): Promise<string> {
    const due = await this.database.tenant(organizationId, async (em) => {
      const subscription = await findSubscription(em, organizationId, externalId, options.status);
      if (subscription.status !== 'active' && subscription.status !== 'pending') throw notFound('subscription');
      return endNow(em, subscription, options.onTerminationInvoice);
    });
    await this.waker.wake([due]);
    return due.ownerId;
  }

  async terminateAll(organizationId: string, customerId: string): Promise<void> {
    const moments = await this.database.tenant(organizationId, async (em) => {
      const living = await em.find(SubscriptionEntity, { customerId, status: { $in: ['active', 'pending'] } });
      const ended: DueMomentRow[] = [];
      for (const subscription of living) ended.push(await endNow(em, subscription, 'generate'));
      return ended;
    });
    await this.waker.wake(moments);
  }
}

interface Commanded {
  id: string;
  due: DueMomentRow | null;
}

async function createSubscription(
  em: EntityManager,
  organizationId: string,
  input: CreateSubscription,
): Promise<Commanded> {
  const plan = await em.findOne(PlanEntity, { organizationId, code: input.planCode, deletedAt: null });
  if (plan === null) throw notFound('plan');
  const customer = await customerFor(em, organizationId, input.externalCustomerId, plan);
  const living = await em.findOne(SubscriptionEntity, {
    organizationId,
    externalId: input.externalId,
    status: { $in: ['active', 'pending'] },
  });
  if (living !== null) return { id: sameSubscription(living, customer, plan), due: null };

  const now = await presentOn(em, customer.testClockId);
  const subscriptionAt = input.subscriptionAt ?? startOfSecond(now);
  const zone = await zoneOf(em, organizationId, customer);
  if (input.endingAt !== null && endInstant(input.endingAt, zone) <= subscriptionAt.getTime()) {
    throw validationFailed({ ending_at: ['invalid_date'] });
  }
  const former = await em.find(SubscriptionEntity, { organizationId, externalId: input.externalId });
  const active = subscriptionAt.getTime() <= now.getTime();
  const subscription = em.create(SubscriptionEntity, {
    id: randomUUID(),
    organizationId,
    customerId: customer.id,
    externalId: input.externalId,
    ordinal: Math.max(0, ...former.map((one) => one.ordinal)) + 1,
    planId: plan.id,
    name: input.name,
    status: active ? 'active' : 'pending',
    billingTime: input.billingTime,
    subscriptionAt,
    startedAt: active ? subscriptionAt : null,
    endingAt: input.endingAt,
    trialEndsAt: active ? trialEnd(firstStart(former) ?? subscriptionAt, plan.trialPeriod) : null,
    onTerminationInvoice: 'generate',
    createdAt: now,
    updatedAt: now,
  });
  await em.flush();
  return { id: subscription.id, due: await scheduleNext(em, subscription, customer, plan, zone) };
}

// Gateways date events in whole seconds: one sent right after this call must not lie before the start.
function startOfSecond(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000);
}

/** First start among the subscriptions that bore this external id: a trial is given once. */
export function firstStart(former: readonly SubscriptionRow[]): Date | null {
  const starts = former.flatMap((one) => (one.startedAt == null ? [] : [one.startedAt.getTime()]));
  return starts.length === 0 ? null : new Date(Math.min(...starts));
}

// Posting a living subscription again is a no-op on its own plan; another plan is a change of plan.
function sameSubscription(living: SubscriptionRow, customer: CustomerRow, plan: PlanRow): string {
  if (living.customerId !== customer.id) throw validationFailed({ external_id: ['value_already_exist'] });
  if (living.planId !== plan.id) throw methodNotAllowed('plan_change_not_available');
  return living.id;
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
  const subscription = await findSubscription(em, organizationId, externalId, status);
  await lockDueMoment(em, 'subscription', subscription.id);
  const customer = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
  const plan = await em.findOneOrFail(PlanEntity, { id: subscription.planId });
  const zone = await zoneOf(em, organizationId, customer);
  const now = await presentOn(em, customer.testClockId);
  if (changes.name !== undefined) subscription.name = changes.name;
  const movesEnd = changes.endingAt !== undefined && (status === 'active' || status === 'pending');
  if (movesEnd) {
    const from = Math.max(now.getTime(), subscription.subscriptionAt.getTime());
    if (changes.endingAt != null && endInstant(changes.endingAt, zone) < from) {
      throw validationFailed({ ending_at: ['invalid_date'] });
    }
    subscription.endingAt = changes.endingAt ?? null;
  }
  subscription.updatedAt = now;
  await em.flush();
  return {
    id: subscription.id,
    due: movesEnd ? await scheduleNext(em, subscription, customer, plan, zone) : null,
  };
}

// The state changes here, at once, for the caller to see; the last period is billed by the workflow's next step.
async function endNow(
  em: EntityManager,
  subscription: SubscriptionRow,
  onTerminationInvoice: 'generate' | 'skip',
): Promise<DueMomentRow> {
  await lockDueMoment(em, 'subscription', subscription.id);
  const customer = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
  const plan = await em.findOneOrFail(PlanEntity, { id: subscription.planId });
  const now = await presentOn(em, customer.testClockId);
  if (subscription.status === 'pending') {
    subscription.status = 'canceled';
    subscription.canceledAt = now;
  } else {
    subscription.status = 'terminated';
    subscription.terminatedAt = now;
  }
  subscription.onTerminationInvoice = onTerminationInvoice;
  subscription.updatedAt = now;
  await em.flush();
  return storeDueMoment(em, { ...ownerOf(subscription, customer, plan), kind: 'ending', dueAt: now, known: false });
}

async function scheduleNext(
  em: EntityManager,
  subscription: SubscriptionRow,
  customer: CustomerRow,
  plan: PlanRow,
  zone: string,
): Promise<DueMomentRow | null> {
  const next = nextDueOf(subscription, plan, zone);
  if (next === null) return null;
  const owner = ownerOf(subscription, customer, plan);
  return storeDueMoment(em, { ...owner, kind: next.kind, dueAt: new Date(next.at), known: false });
}

/** The identity under which a subscription's due moments are kept. */
export function ownerOf(subscription: SubscriptionRow, customer: CustomerRow, plan: PlanRow) {
  return {
    ownerKind: 'subscription' as const,
    ownerId: subscription.id,
    organizationId: subscription.organizationId,
    customerId: customer.id,
    workflowId: subscriptionWorkflowId(subscription.organizationId, subscription.externalId, subscription.ordinal),
    currency: plan.amountCurrency,
    testClockId: customer.testClockId ?? null,
  };
}

/** Time zone in which a customer is billed: its own, else the organization's. */
export async function zoneOf(em: EntityManager, organizationId: string, customer: CustomerRow): Promise<string> {
  if (customer.timezone != null) return customer.timezone;
  return (await em.findOneOrFail(OrganizationEntity, { id: organizationId })).timezone;
}

async function findSubscription(
  em: EntityManager,
  organizationId: string,
  externalId: string,
  status: SubscriptionStatus,
): Promise<SubscriptionRow> {
  const [subscription] = await em.find(
    SubscriptionEntity,
    { organizationId, externalId, status },
    { orderBy: { ordinal: 'desc' }, limit: 1 },
  );
  if (subscription === undefined) throw notFound('subscription');
  return subscription;
}
