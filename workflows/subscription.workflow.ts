import {
  allHandlersFinished,
  condition,
  currentUpdateInfo,
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
import { searchAttributeChanges, searchAttributePairs } from './search-attributes.js';
import { subscriptionSearchAttributes } from './subscription.attributes.js';
import { subscriptionDossier } from './subscription.dossier.js';
import {
  type DueMomentState,
  type RecalculateRequest,
  type RecalculationResult,
  signals,
  type StepInput,
  type StepResult,
  type SubscriptionActivities,
  type SubscriptionState,
} from './subscription.contract.js';

export const clockAdvanced = defineSignal<[{ now: string }]>(signals.clockAdvanced);
export const dueMomentChanged = defineSignal<[{ due: DueMomentState | null }]>(signals.dueMomentChanged);
export const usageInAdvance = defineSignal(signals.usageInAdvance);
export const recalculateInvoice = defineUpdate<RecalculationResult, [RecalculateRequest]>('recalculateInvoice');

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
  const requests: { id: string; request: RecalculateRequest }[] = [];
  const answers = new Map<string, RecalculationResult | ApplicationFailure>();
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
  setHandler(
    recalculateInvoice,
    async (request) => {
      const id = currentUpdateInfo()?.id ?? '';
      requests.push({ id, request });
      await condition(() => answers.has(id));
      const answer = answers.get(id) as RecalculationResult | ApplicationFailure;
      answers.delete(id);
      if (answer instanceof ApplicationFailure) throw answer;
      return answer;
    },
    {
      validator: (request) => assertRecalculation(request, state),
      description:
        'Support: recalculate an invoice of this subscription with all usage received so far. A draft is refreshed; an ' +
        'issued invoice is not touched, the answer shows what would differ. Argument {"invoiceId": "..."}; without it the last one.',
    },
  );
  const show = () => setCurrentDetails(subscriptionDossier(state));
  show();

  let periodDone = false;
  while (state.due !== null && !periodDone) {
    const due = state.due;
    dueChanged = false;
    await clock.until(
      due.at,
      () => dueChanged || usageWaits || requests.length > 0,
      waitSummary(state),
      patienceOf(state),
    );
    await answerRequests();
    await billUsage();
    if (dueChanged) continue;
    if (state.awaitingSiblings !== null && clock.wallPassed(state.awaitingSiblings.until)) await invoiceAlone(state);
    if (clock.reached(due.at)) periodDone = await perform(due);
    // Thousands of events billed one by one are a long history for one period.
    else if (workflowInfo().continueAsNewSuggested) break;
  }
  // No await between the last check and the end: input that arrives in between fails this task and is seen by its retry.
  for (;;) {
    await answerRequests();
    await billUsage();
    if (requests.length === 0 && !usageWaits && allHandlersFinished()) break;
    await condition(() => requests.length > 0 || usageWaits || allHandlersFinished());
  }
  if (state.due !== null) {
    await makeContinueAsNewFunc<typeof subscription>({
      memo: memoOf(state),
      typedSearchAttributes: searchAttributePairs(subscriptionSearchAttributes(state)),
    })(state);
  }

  async function perform(due: DueMomentState): Promise<boolean> {
    const before = state.face.state;
    const result = await step(state, due);
    state.due = result.due;
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

  async function answerRequests(): Promise<void> {
    for (const { id, request } of requests.splice(0)) {
      const invoiceId = request.invoiceId ?? state.face.lastInvoice?.invoiceId ?? '';
      const input = { organizationId: state.organizationId, invoiceId };
      try {
        const result = await activities.recalculateInvoice.executeWithOptions(
          { summary: `Recalculate invoice ${invoiceId} for support`, retry: { maximumAttempts: 5 } },
          [input],
        );
        answers.set(id, result);
      } catch (cause) {
        answers.set(
          id,
          ApplicationFailure.create({ message: `invoice ${invoiceId}: ${reason(cause)}`, nonRetryable: true }),
        );
      }
      show();
    }
  }
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
  const due = state.due as DueMomentState;
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
