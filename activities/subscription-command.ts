import type { CommandInput, SubscriptionCommand } from '../workflows/subscription.contract.js';
import { HttpProblem } from '../src/platform/http/errors.js';
import type { SubscriptionsService } from '../src/subscriptions/ports.js';

/** Why the record refuses a command of support, in the words the API has for it; null when it obeys. */
export async function refusalOf(
  subscriptions: SubscriptionsService,
  input: CommandInput,
  options: { readonly repeated: boolean },
): Promise<string | null> {
  try {
    await obey(subscriptions, input);
    return null;
  } catch (error) {
    if (!(error instanceof HttpProblem) || error.status >= 500) throw error;
    // An attempt before this one was obeyed, and only its answer was lost.
    if (options.repeated && saidTwice(input.command, error)) return null;
    return error.message;
  }
}

async function obey(
  subscriptions: SubscriptionsService,
  { organizationId, externalId, command }: CommandInput,
): Promise<unknown> {
  switch (command.kind) {
    case 'pause':
      return subscriptions.pause(organizationId, externalId, instantOf(command.resumeAt));
    case 'resume':
      return subscriptions.resume(organizationId, externalId, instantOf(command.resumeAt));
    case 'extendTrial':
      return subscriptions.extendTrial(organizationId, externalId, new Date(command.trialEndsAt));
    case 'terminate': {
      const { onTerminationCreditNote, onTerminationInvoice } = command;
      return subscriptions.terminate(organizationId, externalId, {
        status: 'active',
        ...(onTerminationCreditNote !== undefined && { onTerminationCreditNote }),
        ...(onTerminationInvoice !== undefined && { onTerminationInvoice }),
      });
    }
  }
}

function saidTwice(command: SubscriptionCommand, { body }: HttpProblem): boolean {
  switch (command.kind) {
    case 'pause':
      return body.code === 'subscription_is_paused';
    case 'resume':
      return body.code === 'subscription_is_not_paused';
    case 'terminate':
      return body.status === 404;
    case 'extendTrial':
      return false;
  }
}

function instantOf(iso: string | undefined): Date | null {
  return iso === undefined ? null : new Date(iso);
}
