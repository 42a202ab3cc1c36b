import {
  allHandlersFinished,
  condition,
  defineSignal,
  defineUpdate,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import { BillingClock } from './clock.js';
import { Inbox } from './inbox.js';
import { searchAttributeChanges, searchAttributePairs } from './search-attributes.js';
import { subscriptionSearchAttributes } from './subscription.attributes.js';
import { assertPause, assertResume, assertTermination, assertTrial } from './subscription.commands.js';
import { subscriptionDossier } from './subscription.dossier.js';
import {
  type CommandAnswer,
  type DueMomentState,
  type PauseRequest,
  type RecalculateRequest,
  type RecalculationResult,
  signals,
  type StepInput,
  type StepResult,
  type SubscriptionActivities,
  type SubscriptionCommand,
  type SubscriptionState,
  type TerminateRequest,
  type TrialRequest,
} from './subscription.contract.js';

export const clockAdvanced = defineSignal<[{ now: string }]>(signals.clockAdvanced);
export const dueMomentChanged = defineSignal<[{ due: DueMomentState | null }]>(signals.dueMomentChanged);
export const usageInAdvance = defineSignal(signals.usageInAdvance);
export const recalculateInvoice = defineUpdate<RecalculationResult, [RecalculateRequest]>('recalculateInvoice');
export const pause = defineUpdate<CommandAnswer, [PauseRequest]>('pause');
export const resume = defineUpdate<CommandAnswer, [PauseRequest]>('resume');
export const extendTrial = defineUpdate<CommandAnswer, [TrialRequest]>('extendTrial');
export const terminate = defineUpdate<CommandAnswer, [TerminateRequest]>('terminate');

type RecalculationRequest = RecalculateRequest & { kind: 'recalculate' };

const activities = proxyActivities<SubscriptionActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '15 seconds',
  // Nothing here may give up: a close that fails is retried until a person or a deploy has mended the cause.
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/**
 * One subscription; one run = one billing period.
 *
 *   due moment known ──wait (timer, or the test clock's signal)──► its activity ──► next due moment
 *                                                                      │ period closed or activated
 *                                                                      └──► continue as new: the next period
 *
 * Postgres is the record (design, invariant 8): an activity performs exactly the moment it is asked for, or answers that
 * the record says otherwise. Handlers only enqueue; this loop alone acts.
 */
export async function subscription(input: SubscriptionState): Promise<void> {
  const state: SubscriptionState = structuredCopy(input);
  const clock = new BillingClock(state.clock);
  const inbox = new Inbox<RecalculationRequest | SubscriptionCommand>();
  let dueChanged = false;
  let usageWaits = false;

  setHandler(clockAdvanced, ({ now }) => clock.advanceTo(now), {
    description: 'The test clock of this subscription has reached an instant. Sent by the clock, not by people.',
  });
  setHandler(
    dueMomentChanged,
    ({ due }) => {
      state.due = due;
      dueChanged = true;
    },
    { description: 'The record has a new due moment (termination, change of the end). Sent by the API.' },
  );
  setHandler(
    usageInAdvance,
    () => {
      usageWaits = true;
    },
    { description: 'Usage of a charge paid in advance was stored and waits to be billed. Sent by the consumer.' },
  );
  setHandler(recalculateInvoice, (request) => inbox.ask({ kind: 'recalculate', ...request }), {
    validator: (request) => assertRecalculation(request, state),
    description:
      'Support: recalculate an invoice of this subscription with all usage received so far. A draft is refreshed; an ' +
      'issued invoice is not touched, the answer shows what would differ. Argument {"invoiceId": "..."}; without it the last one.',
  });
  setHandler(pause, (request) => inbox.ask({ kind: 'pause', ...request }), {
    validator: (request) => assertPause(request, state, clock.now()),
    description:
      'Support: the subscription stands still from now on. What is owed is billed, what was paid in advance is credited. ' +
      'Argument {} or {"resumeAt": "2024-03-01T00:00:00Z"}.',
  });
  setHandler(resume, (request) => inbox.ask({ kind: 'resume', ...request }), {
    validator: (request) => assertResume(request, state, clock.now()),
    description: 'Support: a paused subscription goes on now. Argument {}, or {"resumeAt": "..."} for later.',
  });
  setHandler(extendTrial, (request) => inbox.ask({ kind: 'extendTrial', ...request }), {
    validator: (request) => assertTrial(request, state),
    description: 'Support: a running trial ends later. Argument {"trialEndsAt": "2024-03-01T00:00:00Z"}.',
  });
  setHandler(terminate, (request) => inbox.ask({ kind: 'terminate', ...request }), {
    validator: (request) => assertTermination(request, state),
    description:
      'Support: the subscription ends now, with its last invoice. Argument {} or ' +
      '{"onTerminationCreditNote": "credit|skip|refund|offset", "onTerminationInvoice": "generate|skip"}.',
  });
  const show = () => setCurrentDetails(subscriptionDossier(state));
  show();

  let periodDone = false;
  while (goesOn(state) && !periodDone) {
    const due = state.due;
    dueChanged = false;
    const woken = () => dueChanged || usageWaits || !inbox.isEmpty;
    // Paused until somebody says otherwise, nothing is due, and there is no timer.
    await clock.until(due?.at ?? null, woken, waitSummary(state), patienceOf(state));
    await inbox.answerAll(answer);
    await billUsage();
    if (dueChanged) continue;
    if (state.awaitingSiblings !== null && clock.wallPassed(state.awaitingSiblings.until)) await invoiceAlone(state);
    if (due !== null && clock.reached(due.at)) periodDone = await perform(due);
    // Thousands of events billed one by one are a long history for one period.
    else if (workflowInfo().continueAsNewSuggested) break;
  }
  // No await between the last check and the end: input that arrives in between fails this task and is seen by its retry.
  for (;;) {
    await inbox.answerAll(answer);
    await billUsage();
    if (inbox.isEmpty && !usageWaits && allHandlersFinished()) break;
    await condition(() => !inbox.isEmpty || usageWaits || allHandlersFinished());
  }
  if (goesOn(state)) {
    await makeContinueAsNewFunc<typeof subscription>({
      memo: memoOf(state),
      typedSearchAttributes: searchAttributePairs(subscriptionSearchAttributes(state)),
    })(state);
  }

  // A signal that arrived while an activity was under way may be newer than its answer, or older. Of both the earlier one is
  // asked for: where it is out of date, the record says so and what it holds instead.
  function agreed(answered: DueMomentState | null): DueMomentState | null {
    if (!dueChanged) return answered;
    const told = state.due;
    if (answered === null || told === null) return answered ?? told;
    return Date.parse(told.at) < Date.parse(answered.at) ? told : answered;
  }

  async function perform(due: DueMomentState): Promise<boolean> {
    const before = state.face.state;
    const result = await step(state, due);
    state.due = agreed(result.due);
    state.face = result.face;
    state.awaitingSiblings = result.awaitingSiblings ?? state.awaitingSiblings;
    show();
    const newRun = result.performed && (due.kind === 'period_end' || due.kind === 'activation');
    if ((!newRun || state.due === null) && (state.face.state !== before || state.due === null)) {
      upsertSearchAttributes(searchAttributeChanges(subscriptionSearchAttributes(state)));
    }
    return newRun;
  }

  // What came in the meantime is billed with it; what comes while it runs sends its own signal.
  async function billUsage(): Promise<void> {
    if (!usageWaits) return;
    usageWaits = false;
    const { organizationId, subscriptionId, externalId } = state;
    const result = await activities.billUsageInAdvance.executeWithOptions(
      { summary: `Bill usage in advance: ${state.face.customerName}, ${state.face.planCode}` },
      [{ organizationId, subscriptionId, externalId }],
    );
    if (result.fees > 0) state.face = { ...result.face, note: state.face.note };
    show();
  }

  async function answer(request: RecalculationRequest | SubscriptionCommand): Promise<unknown> {
    const answered = request.kind === 'recalculate' ? await recalculated(request) : await commanded(request);
    show();
    return answered;
  }

  async function recalculated(request: RecalculateRequest): Promise<RecalculationResult> {
    const invoiceId = request.invoiceId ?? state.face.lastInvoice?.invoiceId ?? '';
    try {
      return await activities.recalculateInvoice.executeWithOptions(
        { summary: `Recalculate invoice ${invoiceId} for support`, retry: { maximumAttempts: 5 } },
        [{ organizationId: state.organizationId, invoiceId }],
      );
    } catch (cause) {
      throw ApplicationFailure.create({ message: `invoice ${invoiceId}: ${reason(cause)}`, nonRetryable: true });
    }
  }

  // The record decides; what it leads to is a due moment like any other, performed by the loop.
  async function commanded(command: SubscriptionCommand): Promise<CommandAnswer> {
    const { organizationId, subscriptionId, externalId } = state;
    const result = await activities.commandSubscription.executeWithOptions(
      { summary: `Support: ${command.kind}`, retry: { maximumAttempts: 5 } },
      [{ organizationId, subscriptionId, externalId, command }],
    );
    if (result.refused !== null) throw ApplicationFailure.create({ message: result.refused, nonRetryable: true });
    state.due = agreed(result.due);
    const changed = state.face.state !== result.face.state;
    state.face = result.face;
    dueChanged = true;
    if (changed) upsertSearchAttributes(searchAttributeChanges(subscriptionSearchAttributes(state)));
    return { state: result.face.state, next: waitSummary(state) };
  }
}

// Paused until somebody says otherwise, it has nothing due and is still there to be told.
function goesOn({ due, face }: SubscriptionState): boolean {
  return due !== null || face.state === 'paused';
}

function step(state: SubscriptionState, due: DueMomentState): Promise<StepResult> {
  const { organizationId, subscriptionId, externalId } = state;
  const input: StepInput = { organizationId, subscriptionId, externalId, due };
  const who = `${state.face.customerName}, ${state.face.planCode}`;
  switch (due.kind) {
    case 'activation':
      return activities.activateSubscription.executeWithOptions({ summary: `Activate for ${who}` }, [input]);
    case 'starting':
      return activities.billStart.executeWithOptions({ summary: `Bill the first period in advance: ${who}` }, [input]);
    case 'trial_end':
      return activities.endTrial.executeWithOptions({ summary: `End the trial of ${who}` }, [input]);
    case 'period_end':
      return activities.closePeriod.executeWithOptions({ summary: `Close ${periodLabel(state)}: ${who}` }, [input]);
    case 'units_change':
      return activities.billUnitsChange.executeWithOptions({ summary: `Bill added units: ${who}` }, [input]);
    case 'pause':
      return activities.pauseSubscription.executeWithOptions({ summary: `Bill up to the pause: ${who}` }, [input]);
    case 'resume':
      return activities.resumeSubscription.executeWithOptions({ summary: `Go on after the pause: ${who}` }, [input]);
    case 'plan_change':
      return activities.changePlan.executeWithOptions({ summary: `Change the plan: ${who}` }, [input]);
    case 'ending':
      return activities.endSubscription.executeWithOptions({ summary: `End the subscription: ${who}` }, [input]);
  }
}

async function invoiceAlone(state: SubscriptionState): Promise<void> {
  const waiting = state.awaitingSiblings;
  state.awaitingSiblings = null;
  if (waiting === null) return;
  const input = {
    organizationId: state.organizationId,
    subscriptionId: state.subscriptionId,
    billingAt: waiting.billingAt,
  };
  await activities.invoiceWithoutSiblings.executeWithOptions(
    { summary: `A sibling did not come by ${waiting.until}: invoice without it` },
    [input],
  );
}

// Patience is measured on the wall even for a test clock: it answers "is the sibling stuck?", not "what is due?".
function patienceOf(state: SubscriptionState): number | undefined {
  return state.awaitingSiblings === null ? undefined : Date.parse(state.awaitingSiblings.until);
}

function waitSummary(state: SubscriptionState): string {
  const { due } = state;
  if (due === null) return 'Paused until it is told to resume';
  const at = `${due.at.slice(0, 19).replace('T', ' ')} UTC`;
  switch (due.kind) {
    case 'activation':
      return `Starts ${at}`;
    case 'starting':
      return `First invoice in advance ${at}`;
    case 'trial_end':
      return `Trial until ${at}`;
    case 'period_end':
      return `Period ${periodLabel(state)} ends ${at}`;
    case 'units_change':
      return `Units changed ${at}`;
    case 'pause':
      return `Pauses ${at}`;
    case 'resume':
      return `Paused until ${at}`;
    case 'plan_change':
      return `Another plan from ${at}`;
    case 'ending':
      return `Ends ${at}`;
  }
}

function periodLabel(state: SubscriptionState): string {
  const period = state.face.period;
  return period === null ? 'the period' : `${period.from.slice(0, 10)}..${period.to.slice(0, 10)}`;
}

function assertRecalculation(request: RecalculateRequest | undefined, state: SubscriptionState): void {
  const given = request?.invoiceId;
  if (given !== undefined && !/^[0-9a-f-]{36}$/i.test(given)) {
    throw ApplicationFailure.create({ message: 'invoiceId must be the lago_id of an invoice', nonRetryable: true });
  }
  if (given === undefined && state.face.lastInvoice === null) {
    throw ApplicationFailure.create({ message: 'this subscription has no invoice yet', nonRetryable: true });
  }
}

function memoOf(state: SubscriptionState): Record<string, unknown> {
  return { customer: state.face.customerName, plan: state.face.planCode, run: workflowInfo().runId };
}

function structuredCopy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function reason(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
}
