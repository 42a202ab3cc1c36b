import type { StepInput, StepResult, SubscriptionActivities } from '../workflows/subscription.contract.js';
import { loadSubscriptionPlan, type RatedPlan } from '../src/catalog/rated-plan.js';
import { instant } from '../src/domain/calendar/instant.js';
import { periodContaining } from '../src/domain/calendar/billing-calendar.js';
import type { DueMomentRow } from '../src/due-moments/due-moment.entity.js';
import { clearDueMoment, lockDueMoment, storeDueMoment, type Waker } from '../src/due-moments/due-moments.js';
import { type BillingContext, loadBillingContext } from '../src/invoicing/billing-context.js';
import { BillingPeriodEntity } from '../src/invoicing/billing-period.entity.js';
import { storedCutoff } from '../src/invoicing/cutoff.js';
import type { InvoiceLifecycle } from '../src/invoicing/invoice-lifecycle.js';
import { billSubscription, type BillingStep, composeWhenComplete } from '../src/invoicing/subscription-billing.js';
import { type CutoffBarrier, lockPartitionShared, type UsageReader } from '../src/metering/index.js';
import type { Database, EntityManager } from '../src/platform/database/database.js';
import { subscriptionFace } from '../src/orchestration/faces.js';
import { unnotifiedInvoiceMoments } from '../src/orchestration/unnotified.js';
import { billingCalendarOf, nextDueOf, trialEnd } from '../src/subscriptions/lifecycle.js';
import { firstStart, ownerOf } from '../src/subscriptions/subscription-commands.js';
import { SubscriptionEntity, type SubscriptionRow } from '../src/subscriptions/subscription.entity.js';
import { heartbeating } from './heartbeat.js';
import { recalculate } from './recalculation.js';

export interface SubscriptionActivityDeps {
  readonly database: Database;
  readonly reader: UsageReader;
  readonly barrier: CutoffBarrier;
  readonly waker: Waker;
  readonly lifecycle: InvoiceLifecycle;
  /** How long fees wait for a sibling's close before they get an invoice of their own. */
  readonly siblingPatienceSeconds: number;
}

/** What a step knows inside its one transaction. */
interface Step {
  readonly em: EntityManager;
  readonly input: StepInput;
  readonly at: Date;
  readonly subscription: SubscriptionRow;
  readonly plan: RatedPlan;
  readonly context: BillingContext;
  readonly partition: number;
}

type Covers = BillingStep['covers'];

/**
 * The steps of a subscription's life. Each performs exactly the due moment it is asked for, in one transaction that bills,
 * moves the record on and composes the invoice; asked again it finds the record moved on and only reports. So a lost
 * answer, a retry or a replay changes nothing.
 */
export function createSubscriptionActivities(deps: SubscriptionActivityDeps): SubscriptionActivities {
  const { database, reader, barrier, waker, lifecycle } = deps;

  return {
    activateSubscription: (input) => perform(input, activate),
    billStart: (input) => perform(input, (step) => bill(step, 'subscription_starting', 'start')),
    endTrial: (input) => perform(input, endTrial),
    closePeriod: (input) => perform(input, (step) => bill(step, 'subscription_periodic', 'period')),
    endSubscription: (input) => perform(input, end),

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

    recalculateInvoice: ({ organizationId, invoiceId }) =>
      heartbeating(() => recalculate(lifecycle, organizationId, invoiceId)),
  };

  function perform(input: StepInput, act: (step: Step) => Promise<Billed | null>): Promise<StepResult> {
    return heartbeating(async () => {
      // Outside the transaction: the barrier waits for the consumer, which needs the lock that the transaction holds.
      const { partition } = await barrier.cutoffFor(input.organizationId, input.externalId);
      const { result, wake } = await database.tenant(input.organizationId, async (em) => {
        await lockPartitionShared(em, partition);
        const due = await lockDueMoment(em, 'subscription', input.subscriptionId);
        const asked = due !== null && due.kind === input.due.kind && due.dueAt.getTime() === Date.parse(input.due.at);
        return asked ? performed(em, input, partition, act) : reported(em, input, due);
      });
      await waker.wake(wake);
      return result;
    });
  }

  async function performed(
    em: EntityManager,
    input: StepInput,
    partition: number,
    act: (step: Step) => Promise<Billed | null>,
  ): Promise<Outcome> {
    const subscription = await em.findOneOrFail(SubscriptionEntity, { id: input.subscriptionId });
    const plan = await loadSubscriptionPlan(em, subscription);
    const terms = await loadBillingContext(em, input.organizationId, subscription.customerId);
    // Nothing more can come to the last invoice of a deleted plan, so it waits for nothing.
    const context = plan.row.deletedAt == null ? terms : { ...terms, graceDays: 0 };
    const at = new Date(input.due.at);
    const step: Step = { em, input, at, subscription, plan, context, partition };

    const billed = await act(step);
    subscription.doneKind = input.due.kind;
    subscription.doneAt = at;
    await em.flush();
    const next = nextDueOf(subscription, plan.row, context.zone);
    await moveOn(step, next === null ? null : { kind: next.kind, dueAt: new Date(next.at) });

    const composed =
      billed === null ? null : await composeWhenComplete(em, context, billed.group, subscription.id, { alone: false });
    await em.flush();
    return {
      wake: composed?.moments ?? [],
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
    return {
      wake: await unnotifiedInvoiceMoments(em, input.subscriptionId, new Date(input.due.at)),
      result: {
        performed: false,
        due: due === null ? null : { kind: due.kind as StepInput['due']['kind'], at: due.dueAt.toISOString() },
        face: await subscriptionFace(em, input.subscriptionId, new Date(input.due.at)),
        awaitingSiblings: null,
      },
    };
  }

  async function bill(step: Step, reason: BillingStep['reason'], covers: Covers): Promise<Billed> {
    const { em, context, subscription, plan, partition } = step;
    const cutoffSequence = await storedCutoff(em, partition);
    const group = await billSubscription({
      ...{ em, reader, context, subscription, plan, reason, covers, partition, cutoffSequence },
      billingAt: step.at,
    });
    return { group };
  }

  async function activate({ em, subscription, plan, at }: Step): Promise<null> {
    const former = await em.find(SubscriptionEntity, {
      organizationId: subscription.organizationId,
      externalId: subscription.externalId,
      id: { $ne: subscription.id },
    });
    subscription.status = 'active';
    subscription.startedAt = at;
    subscription.trialEndsAt = trialEnd(firstStart(former) ?? at, plan.row.trialPeriod);
    subscription.updatedAt = at;
    return null;
  }

  async function endTrial(step: Step): Promise<Billed | null> {
    const { subscription, plan, at } = step;
    subscription.trialEndedAt = at;
    // On a boundary the period that begins is billed by its own close, a moment later.
    return plan.plan.payInAdvance && !onBoundary(step) ? bill(step, 'subscription_starting', 'trial_end') : null;
  }

  async function end(step: Step): Promise<Billed | null> {
    const { subscription, at } = step;
    if (subscription.status === 'canceled') return null;
    const closed = subscription.doneKind === 'period_end' && subscription.doneAt?.getTime() === at.getTime();
    subscription.status = 'terminated';
    subscription.terminatedAt ??= at;
    subscription.updatedAt = at;
    if (subscription.onTerminationInvoice === 'skip' || subscription.startedAt == null) return null;
    // Ended by its own date on a boundary: that period is closed here. A command on the boundary comes after its close.
    const started = subscription.startedAt.getTime() === at.getTime();
    return bill(step, 'subscription_terminating', onBoundary(step) && !closed && !started ? 'end_on_boundary' : 'end');
  }

  function patienceFrom(billingAt: Date): { billingAt: string; until: string } {
    const until = new Date(Date.now() + deps.siblingPatienceSeconds * 1000);
    return { billingAt: billingAt.toISOString(), until: until.toISOString() };
  }

  async function moveOn(step: Step, next: { kind: string; dueAt: Date } | null): Promise<void> {
    const { em, subscription, context, plan } = step;
    if (next === null) return clearDueMoment(em, 'subscription', subscription.id);
    await storeDueMoment(em, { ...ownerOf(subscription, context.customer, plan.row), ...next, known: true });
  }
}

/** Whether the step falls on a bound of the plan's periods. */
function onBoundary({ subscription, plan, context, at }: Step): boolean {
  const calendar = billingCalendarOf(subscription, plan.row, context.zone);
  return periodContaining(calendar, instant(at.getTime())).from === at.getTime();
}

interface Billed {
  readonly group: Awaited<ReturnType<typeof billSubscription>>;
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
    case 'ending':
      return `ended ${day}`;
  }
}
