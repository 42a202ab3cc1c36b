import { Context } from '@temporalio/activity';
import type { StepInput, StepResult, SubscriptionActivities } from '../workflows/subscription.contract.js';
import { loadSubscriptionPlan } from '../src/catalog/rated-plan.js';
import { CustomerEntity } from '../src/customers/customer.entity.js';
import { DueMomentEntity, type DueMomentRow } from '../src/due-moments/due-moment.entity.js';
import { clearDueMoment, lockDueMoment, storeDueMoment, type Waker } from '../src/due-moments/due-moments.js';
import { billAllInAdvance, billNextInAdvance } from '../src/invoicing/advance-billing.js';
import { loadBillingContext } from '../src/invoicing/billing-context.js';
import { BillingPeriodEntity } from '../src/invoicing/billing-period.entity.js';
import type { InvoiceLifecycle } from '../src/invoicing/invoice-lifecycle.js';
import { composeWaiting, composeWhenComplete, PERIODIC_GROUP } from '../src/invoicing/subscription-billing.js';
import { performStep, type SubscriptionStep } from '../src/invoicing/subscription-steps.js';
import { type CutoffBarrier, lockPartitionShared, type UsageReader } from '../src/metering/index.js';
import type { Database, EntityManager } from '../src/platform/database/database.js';
import { subscriptionFace } from '../src/orchestration/faces.js';
import { unnotifiedMoments } from '../src/orchestration/unnotified.js';
import { lockLife } from '../src/subscriptions/life.js';
import { nextDueOf } from '../src/subscriptions/lifecycle.js';
import type { SubscriptionsService } from '../src/subscriptions/ports.js';
import { ownerOf } from '../src/subscriptions/schedule.js';
import { SubscriptionEntity } from '../src/subscriptions/subscription.entity.js';
import { presentOn } from '../src/test-clocks/clock-time.js';
import { heartbeating } from './heartbeat.js';
import { recalculate } from './recalculation.js';
import { refusalOf } from './subscription-command.js';

export interface SubscriptionActivityDeps {
  readonly database: Database;
  readonly reader: UsageReader;
  readonly barrier: CutoffBarrier;
  readonly waker: Waker;
  readonly lifecycle: InvoiceLifecycle;
  readonly subscriptions: SubscriptionsService;
  /** How long fees wait for a sibling's close before they get an invoice of their own. */
  readonly siblingPatienceSeconds: number;
}

/**
 * The steps of a subscription's life. Each performs exactly the due moment it is asked for, in one transaction that bills,
 * moves the record on and composes the invoice; asked again it finds the record moved on and only reports. So a lost
 * answer, a retry or a replay changes nothing.
 */
export function createSubscriptionActivities(deps: SubscriptionActivityDeps): SubscriptionActivities {
  const { database, reader, barrier, waker, lifecycle, subscriptions } = deps;

  return {
    activateSubscription: perform,
    billStart: perform,
    endTrial: perform,
    closePeriod: perform,
    billUnitsChange: perform,
    pauseSubscription: perform,
    resumeSubscription: perform,
    changePlan: perform,
    endSubscription: perform,

    billUsageInAdvance: ({ organizationId, subscriptionId, externalId }) =>
      heartbeating(async () => {
        const fees = await billUsage(organizationId, externalId);
        const face = await database.tenant(organizationId, async (em) => {
          const customer = await em.findOneOrFail(SubscriptionEntity, { id: subscriptionId });
          const context = await loadBillingContext(em, organizationId, customer.customerId);
          return subscriptionFace(em, subscriptionId, await presentOn(em, context.customer.testClockId));
        });
        return { fees, face };
      }),

    invoiceWithoutSiblings: ({ organizationId, subscriptionId, billingAt }) =>
      heartbeating(async () => {
        const moments = await database.tenant(organizationId, async (em) => {
          const period = await em.findOneOrFail(BillingPeriodEntity, {
            subscriptionId,
            billingAt: new Date(billingAt),
          });
          const context = await loadBillingContext(em, organizationId, period.customerId);
          return (await composeWhenComplete(em, context, period, subscriptionId, { alone: true })).moments;
        });
        await waker.wake(moments);
      }),

    commandSubscription: (input) =>
      heartbeating(async () => {
        const refused = await refusalOf(subscriptions, input, { repeated: Context.current().info.attempt > 1 });
        return database.tenant(input.organizationId, async (em) => {
          const subscription = await em.findOneOrFail(SubscriptionEntity, { id: input.subscriptionId });
          const { testClockId } = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
          const due = await em.findOne(DueMomentEntity, { ownerKind: 'subscription', ownerId: subscription.id });
          return {
            refused,
            due: due === null ? null : dueState(due),
            face: await subscriptionFace(em, subscription.id, await presentOn(em, testClockId)),
          };
        });
      }),

    recalculateInvoice: ({ organizationId, invoiceId }) =>
      heartbeating(() => recalculate(lifecycle, organizationId, invoiceId)),
  };

  /** In transactions of a bounded size; one that is done over finds its events billed. */
  async function billUsage(organizationId: string, externalSubscriptionId: string): Promise<number> {
    let fees = 0;
    for (;;) {
      const billed = await database.tenant(organizationId, (em) =>
        billNextInAdvance(em, { organizationId, externalSubscriptionId }),
      );
      fees += billed.fees;
      await waker.wake(billed.moments);
      if (!billed.pending) return fees;
    }
  }

  function perform(input: StepInput): Promise<StepResult> {
    return heartbeating(async () => {
      // Outside the transaction: the barrier waits for the consumer, which needs the lock that the transaction holds.
      const { partition } = await barrier.cutoffFor(input.organizationId, input.externalId);
      // A backlog goes in small transactions; what is left for the step's own is what came since.
      await billUsage(input.organizationId, input.externalId);
      const { result, wake } = await database.tenant(input.organizationId, async (em) => {
        await lockPartitionShared(em, partition);
        if (movesAnother(input)) await lockLife(em, input.organizationId, input.externalId);
        await assertPredecessorDone(em, input.subscriptionId);
        const due = await lockDueMoment(em, 'subscription', input.subscriptionId);
        // Usage that was there before the step is billed before it.
        const key = { organizationId: input.organizationId, externalSubscriptionId: input.externalId };
        const moments = await billAllInAdvance(em, key);
        const asked = due !== null && due.kind === input.due.kind && due.dueAt.getTime() === Date.parse(input.due.at);
        const outcome = asked ? await performed(em, input, partition) : await reported(em, input, due);
        return { ...outcome, wake: [...moments, ...outcome.wake] };
      });
      await waker.wake(wake);
      return result;
    });
  }

  async function performed(em: EntityManager, input: StepInput, partition: number): Promise<Outcome> {
    const subscription = await em.findOneOrFail(SubscriptionEntity, { id: input.subscriptionId });
    const plan = await loadSubscriptionPlan(em, subscription);
    const terms = await loadBillingContext(em, input.organizationId, subscription.customerId);
    // Nothing more can come to the last invoice of a deleted plan, so it waits for nothing.
    // What is added in advance is due at once.
    const waits = plan.row.deletedAt == null && input.due.kind !== 'units_change';
    const context = waits ? terms : { ...terms, graceDays: 0 };
    const at = new Date(input.due.at);
    const step = { em, reader, at, subscription, plan, context, partition };

    const billed = await performStep(input.due.kind, step);
    subscription.doneKind = input.due.kind;
    subscription.doneAt = at;
    await em.flush();
    const next = nextDueOf(subscription, plan, context.zone);
    await moveOn(step, next === null ? null : { kind: next.kind, dueAt: new Date(next.at) });

    const composed =
      billed === null ? null : await composeWhenComplete(em, context, billed.group, subscription.id, { alone: false });
    const others = movesAnother(input)
      ? await composeWaiting(em, context, { customerId: context.customer.id, currency: plan.plan.currency })
      : [];
    await em.flush();
    return {
      wake: [...(billed?.moments ?? []), ...(composed?.moments ?? []), ...others],
      result: {
        performed: true,
        due: next === null ? null : { kind: next.kind, at: new Date(next.at).toISOString() },
        face: await subscriptionFace(em, subscription.id, at, noteOf(input)),
        awaitingSiblings: composed?.awaitsSiblings === true ? patienceFrom(at) : null,
      },
    };
  }

  // The record has moved on without us: by an attempt whose answer was lost, or by a command.
  async function reported(em: EntityManager, input: StepInput, due: DueMomentRow | null): Promise<Outcome> {
    const billingAt = new Date(input.due.at);
    const waiting = await em.count(BillingPeriodEntity, {
      ...{ subscriptionId: input.subscriptionId, billingAt, billingGroup: PERIODIC_GROUP },
      invoiceId: null,
    });
    return {
      wake: await unnotifiedMoments(em, input.subscriptionId, billingAt),
      result: {
        performed: false,
        due: due === null ? null : dueState(due),
        face: await subscriptionFace(em, input.subscriptionId, billingAt),
        awaitingSiblings: waiting > 0 ? patienceFrom(billingAt) : null,
      },
    };
  }

  function patienceFrom(billingAt: Date): { billingAt: string; until: string } {
    const until = new Date(Date.now() + deps.siblingPatienceSeconds * 1000);
    return { billingAt: billingAt.toISOString(), until: until.toISOString() };
  }

  async function moveOn(step: SubscriptionStep, next: { kind: string; dueAt: Date } | null): Promise<void> {
    const { em, subscription, context, plan } = step;
    if (next === null) return clearDueMoment(em, 'subscription', subscription.id);
    await storeDueMoment(em, { ...ownerOf(subscription, context.customer, plan), ...next, known: true });
  }
}

/** Steps after which another subscription may have something to do. */
function movesAnother({ due }: StepInput): boolean {
  return due.kind === 'plan_change' || due.kind === 'ending';
}

/**
 * A change of plan bills both sides in the old one's step. Until that is done the new one waits, so that what happens to it
 * finds its start billed; the retry of the activity asks again.
 */
async function assertPredecessorDone(em: EntityManager, subscriptionId: string): Promise<void> {
  const [row] = await em.execute<{ waiting: boolean }[]>(
    `select exists (
       select from subscriptions s join due_moments d on d.owner_kind = 'subscription' and d.owner_id = s.previous_subscription_id
        where s.id = ?) as waiting`,
    [subscriptionId],
  );
  if (row?.waiting) throw new Error('The plan change that leads to this subscription has not been billed yet');
}

function dueState({ kind, dueAt }: DueMomentRow): StepInput['due'] {
  return { kind: kind as StepInput['due']['kind'], at: dueAt.toISOString() };
}

interface Outcome {
  readonly result: StepResult;
  readonly wake: readonly DueMomentRow[];
}

function noteOf({ due }: StepInput): string {
  const day = due.at.slice(0, 10);
  switch (due.kind) {
    case 'activation':
      return `activated ${day}`;
    case 'starting':
      return `first period billed in advance ${day}`;
    case 'trial_end':
      return `trial ended ${day}`;
    case 'period_end':
      return `period closed ${day}`;
    case 'units_change':
      return `units changed ${day}`;
    case 'pause':
      return `paused ${day}`;
    case 'resume':
      return `resumed ${day}`;
    case 'plan_change':
      return `changed its plan ${day}`;
    case 'ending':
      return `ended ${day}`;
  }
}
