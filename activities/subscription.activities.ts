import { Context } from '@temporalio/activity';
import type { StepInput, StepResult, SubscriptionActivities } from '../workflows/subscription.contract.js';
import { loadSubscriptionPlan, type RatedPlan } from '../src/catalog/rated-plan.js';
import { instant } from '../src/domain/calendar/instant.js';
import { periodContaining } from '../src/domain/calendar/billing-calendar.js';
import { CustomerEntity } from '../src/customers/customer.entity.js';
import { DueMomentEntity, type DueMomentRow } from '../src/due-moments/due-moment.entity.js';
import { clearDueMoment, lockDueMoment, storeDueMoment, type Waker } from '../src/due-moments/due-moments.js';
import { billAllInAdvance, billNextInAdvance } from '../src/invoicing/advance-billing.js';
import { type BillingContext, loadBillingContext } from '../src/invoicing/billing-context.js';
import { BillingPeriodEntity } from '../src/invoicing/billing-period.entity.js';
import { storedCutoff } from '../src/invoicing/cutoff.js';
import { FeeEntity } from '../src/invoicing/fee.entity.js';
import type { InvoiceLifecycle } from '../src/invoicing/invoice-lifecycle.js';
import {
  billSubscription,
  type BillingStep,
  composeWaiting,
  composeWhenComplete,
  PERIODIC_GROUP,
} from '../src/invoicing/subscription-billing.js';
import { creditUnusedTime } from '../src/invoicing/unused-time.js';
import { type CutoffBarrier, lockPartitionShared, type UsageReader } from '../src/metering/index.js';
import type { Database, EntityManager } from '../src/platform/database/database.js';
import { subscriptionFace } from '../src/orchestration/faces.js';
import { unnotifiedMoments } from '../src/orchestration/unnotified.js';
import { clampedStart, lockLife, successorOf } from '../src/subscriptions/life.js';
import {
  billingCalendarOf,
  endInstant,
  firstStart,
  boundaryAfter,
  fixedChargesInAdvance,
  renewsUsage,
  nextDueOf,
  trialEnd,
} from '../src/subscriptions/lifecycle.js';
import type { SubscriptionsService } from '../src/subscriptions/ports.js';
import { takeOver } from '../src/subscriptions/plan-change.js';
import { ownerOf, scheduleNext } from '../src/subscriptions/schedule.js';
import { SubscriptionPauseEntity } from '../src/subscriptions/subscription-pause.entity.js';
import { SubscriptionEntity, type SubscriptionRow } from '../src/subscriptions/subscription.entity.js';
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
  const { database, reader, barrier, waker, lifecycle, subscriptions } = deps;

  return {
    activateSubscription: (input) => perform(input, activate),
    billStart: (input) => perform(input, (step) => bill(step, 'subscription_starting', 'start')),
    endTrial: (input) => perform(input, endTrial),
    closePeriod: (input) => perform(input, (step) => bill(step, 'subscription_periodic', 'period')),
    billUnitsChange: (input) => perform(input, billUnitsChange),
    pauseSubscription: (input) => perform(input, pause),
    resumeSubscription: (input) => perform(input, resume),
    changePlan: (input) => perform(input, changePlan),
    endSubscription: (input) => perform(input, end),

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

  function perform(input: StepInput, act: (step: Step) => Promise<Billed | null>): Promise<StepResult> {
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
        const outcome = asked ? await performed(em, input, partition, act) : await reported(em, input, due);
        return { ...outcome, wake: [...moments, ...outcome.wake] };
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
    // What is added in advance is due at once.
    const waits = plan.row.deletedAt == null && input.due.kind !== 'units_change';
    const context = waits ? terms : { ...terms, graceDays: 0 };
    const at = new Date(input.due.at);
    const step: Step = { em, input, at, subscription, plan, context, partition };

    const billed = await act(step);
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
      wake: [...(billed?.wake ?? []), ...(composed?.moments ?? []), ...others],
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

  async function bill(
    step: Pick<Step, 'em' | 'context' | 'subscription' | 'plan' | 'partition' | 'at'>,
    reason: BillingStep['reason'],
    covers: Covers,
    how: Pick<BillingStep, 'group' | 'endedByUpgrade'> = {},
  ): Promise<Billed> {
    const { em, context, subscription, plan, partition } = step;
    const cutoffSequence = await storedCutoff(em, partition);
    const group = await billSubscription({
      ...{ em, reader, context, subscription, plan, reason, covers, partition, cutoffSequence },
      ...how,
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
    subscription.startedAt = clampedStart(at, former);
    subscription.trialEndsAt = trialEnd(firstStart(former) ?? subscription.startedAt, plan.plan.trialDays);
    subscription.updatedAt = at;
    return null;
  }

  // Several changes of one instant of a test clock have an invoice each.
  async function billUnitsChange(step: Step): Promise<Billed> {
    const { em, subscription, at } = step;
    const [, ...left] = subscription.unitChangesDue ?? [];
    subscription.unitChangesDue = left.length === 0 ? null : left;
    const earlier = await em.count(BillingPeriodEntity, { subscriptionId: subscription.id, billingAt: at });
    return bill(step, 'in_advance_charge', 'units_change', { group: `units_change/${subscription.id}/${earlier}` });
  }

  async function endTrial(step: Step): Promise<Billed | null> {
    const { subscription, plan, at } = step;
    subscription.trialEndedAt = at;
    // On a boundary the period that begins is billed by its own close, a moment later.
    return plan.plan.payInAdvance && !onBoundary(step) ? bill(step, 'subscription_starting', 'trial_end') : null;
  }

  /**
   * Two plans on one document: what the old one still owes up to here, and what the new one asks for in advance. A downgrade
   * closes the old plan's period on its bound, with all that is closed there; an upgrade is an event of its own.
   */
  async function changePlan(step: Step): Promise<Billed> {
    const { em, subscription: old, at, context } = step;
    const upgrade = old.nextPlanAtOnce;
    const wasPending = (await successorOf(em, old))?.status === 'pending';
    const next = await takeOver(em, old, at, at);
    const plan = await loadSubscriptionPlan(em, next);
    const group = upgrade ? `plan_change/${old.id}` : PERIODIC_GROUP;
    const billed = await bill(step, 'subscription_terminating', upgrade ? 'end' : 'end_on_boundary', {
      group,
      endedByUpgrade: upgrade,
    });
    const inTrial = next.trialEndsAt != null && next.trialEndsAt > at;
    if ((plan.plan.payInAdvance && !inTrial) || fixedChargesInAdvance(plan) || (!upgrade && renewsUsage(plan))) {
      await bill({ ...step, subscription: next, plan }, 'subscription_starting', 'start', { group });
    }
    if (upgrade) {
      await creditUnusedTime({ em, context, subscription: old, at, endedByUpgrade: true, mode: 'credit' });
    }
    return { ...billed, wake: wasPending ? await scheduleNext(em, next, plan, context) : [] };
  }

  /** What is owed up to here, and what was paid for the time after it; the day itself goes with the pause. */
  async function pause(step: Step): Promise<Billed | null> {
    const { em, subscription, context, at } = step;
    const group = await pauseGroup(step);
    const billed = await bill(step, 'subscription_terminating', 'end', { group, endedByUpgrade: true });
    await creditUnusedTime({ em, context, subscription, at, endedByUpgrade: true, mode: 'credit' });
    // A life that goes on needs no document of nothing; late usage could still fill one that is a draft for a while.
    const owed = await em.count(FeeEntity, { subscriptionId: subscription.id, invoiceId: null });
    return owed === 0 && context.graceDays === 0 ? null : billed;
  }

  /** Like a start, for what is left of the period in which it happens. */
  async function resume(step: Step): Promise<Billed | null> {
    const { subscription, plan, at } = step;
    const group = await pauseGroup(step);
    const paidFor = pausedInThisPeriod(step);
    subscription.resumedAt = at;
    subscription.pausedAt = null;
    subscription.resumeAt = null;
    subscription.updatedAt = at;
    const trialEndsAt = subscription.trialEndsAt ?? null;
    if (trialEndsAt !== null && trialEndsAt <= at) subscription.trialEndedAt ??= trialEndsAt;
    const fee = plan.plan.payInAdvance && (trialEndsAt === null || trialEndsAt <= at);
    const fixedCharges = fixedChargesInAdvance(plan) && !paidFor;
    if (!fee && !fixedCharges) return null;
    // Fixed charges paid in advance are not given back by a pause, so they are not asked for again in their period.
    return bill(step, 'subscription_starting', fixedCharges ? 'start' : 'trial_end', { group });
  }

  // Each pause bills for itself, even two of one instant.
  async function pauseGroup({ em, subscription }: Step): Promise<string> {
    return `pause/${subscription.id}/${await em.count(SubscriptionPauseEntity, { subscriptionId: subscription.id })}`;
  }

  async function end(step: Step): Promise<Billed | null> {
    const { em, subscription, plan, context, at } = step;
    if (subscription.status === 'canceled') return null;
    const paused = subscription.doneKind === 'pause';
    const closed = subscription.doneKind === 'period_end' && subscription.doneAt?.getTime() === at.getTime();
    const commanded = subscription.terminatedAt != null && !endsByItsDate(step);
    subscription.status = 'terminated';
    subscription.terminatedAt ??= at;
    subscription.updatedAt = at;
    await cancelWhatFollows(step);
    // All that was owed was billed by the pause.
    if (subscription.startedAt == null || paused) return null;
    if (plan.plan.payInAdvance) subscription.onTerminationCreditNote ??= 'credit';
    const started = subscription.startedAt.getTime() === at.getTime();
    const billed =
      subscription.onTerminationInvoice === 'skip'
        ? null
        : // Ended by its own date on a boundary: that period is closed here. A command on the boundary comes after its close.
          await bill(
            step,
            'subscription_terminating',
            onAnyBoundary(step) && !closed && !started && !commanded ? 'end_on_boundary' : 'end',
          );
    const mode = subscription.onTerminationCreditNote ?? 'credit';
    await creditUnusedTime({ em, context, subscription, at, endedByUpgrade: false, mode });
    return billed;
  }

  // Its end came before the bound at which another plan was to take over.
  async function cancelWhatFollows({ em, subscription, at }: Step): Promise<void> {
    const next = await successorOf(em, subscription);
    if (next?.status !== 'pending') return;
    next.status = 'canceled';
    next.canceledAt = at;
    next.updatedAt = at;
    subscription.nextPlanAt = null;
  }

  function patienceFrom(billingAt: Date): { billingAt: string; until: string } {
    const until = new Date(Date.now() + deps.siblingPatienceSeconds * 1000);
    return { billingAt: billingAt.toISOString(), until: until.toISOString() };
  }

  async function moveOn(step: Step, next: { kind: string; dueAt: Date } | null): Promise<void> {
    const { em, subscription, context, plan } = step;
    if (next === null) return clearDueMoment(em, 'subscription', subscription.id);
    await storeDueMoment(em, { ...ownerOf(subscription, context.customer, plan), ...next, known: true });
  }
}

/** Whether the step falls on a bound of the plan's periods. */
function onBoundary({ subscription, plan, context, at }: Step): boolean {
  const calendar = billingCalendarOf(subscription, plan.plan, context.zone);
  return periodContaining(calendar, instant(at.getTime())).from === at.getTime();
}

/** Whether something is closed here: a period of the plan, or a month of it. */
function onAnyBoundary({ subscription, plan, context, at }: Step): boolean {
  return boundaryAfter(subscription, plan, context.zone)(at.getTime() - 1) === at.getTime();
}

/** Whether the period that is running is the one in which the pause began. */
function pausedInThisPeriod({ subscription, plan, context, at }: Step): boolean {
  const calendar = billingCalendarOf(subscription, plan.plan, context.zone);
  const period = periodContaining(calendar, instant(at.getTime()));
  return subscription.pausedAt != null && subscription.pausedAt.getTime() >= period.from;
}

/** Whether it ends here because its `ending_at` says so; a command may have been the first to notice. */
function endsByItsDate({ subscription, context, at }: Step): boolean {
  return subscription.endingAt != null && endInstant(subscription.endingAt, context.zone) === at.getTime();
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

interface Billed {
  readonly group: Awaited<ReturnType<typeof billSubscription>>;
  /** Workflows that the step gave something to do. */
  readonly wake?: readonly DueMomentRow[];
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
