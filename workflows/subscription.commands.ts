import { ApplicationFailure } from '@temporalio/common';
import type { PauseRequest, SubscriptionState, TerminateRequest, TrialRequest } from './subscription.contract.js';

/**
 * What support may ask of a subscription, refused before it leaves a trace. The record has the last word: a command that
 * passes here can still be refused by it.
 */
export function assertPause(request: PauseRequest | undefined, state: SubscriptionState, now: string): void {
  if (state.face.state !== 'active' && state.face.state !== 'trial') {
    throw refused(`a subscription that is ${state.face.state} cannot pause`);
  }
  if (state.due?.kind === 'plan_change') throw refused('another plan is about to take over');
  assertLater(request?.resumeAt, 'resumeAt', now);
}

export function assertResume(request: PauseRequest | undefined, state: SubscriptionState, now: string): void {
  if (state.face.state !== 'paused') throw refused(`this subscription is ${state.face.state}, not paused`);
  assertLater(request?.resumeAt, 'resumeAt', now);
}

export function assertTrial(request: TrialRequest | undefined, state: SubscriptionState): void {
  const { trialEndsAt } = state.face;
  if (state.face.state !== 'trial' || trialEndsAt === null) throw refused('no trial is running');
  if (request?.trialEndsAt === undefined) throw refused('trialEndsAt is missing');
  assertLater(request.trialEndsAt, 'trialEndsAt', trialEndsAt);
}

export function assertTermination(request: TerminateRequest | undefined, state: SubscriptionState): void {
  if (!['active', 'trial', 'paused'].includes(state.face.state)) {
    throw refused(`a subscription that is ${state.face.state} cannot be terminated`);
  }
  const { onTerminationCreditNote: credit, onTerminationInvoice: invoice } = request ?? {};
  if (credit !== undefined && !['credit', 'skip', 'refund', 'offset'].includes(credit)) {
    throw refused('onTerminationCreditNote is one of credit, skip, refund, offset');
  }
  if (invoice !== undefined && !['generate', 'skip'].includes(invoice)) {
    throw refused('onTerminationInvoice is one of generate, skip');
  }
}

function assertLater(given: string | undefined, name: string, than: string): void {
  if (given === undefined) return;
  if (Number.isNaN(Date.parse(given))) throw refused(`${name} must be an instant like 2024-03-01T00:00:00Z`);
  if (Date.parse(given) <= Date.parse(than)) throw refused(`${name} must be later than ${than}`);
}

function refused(message: string): ApplicationFailure {
  return ApplicationFailure.create({ message, nonRetryable: true });
}
