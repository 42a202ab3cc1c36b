import { lineCount, minute } from './dossier.js';
import type { SubscriptionState } from './subscription.contract.js';

/** The Current Details of the Temporal UI: one screen that says where the subscription stands and what comes next. */
export function subscriptionDossier(state: SubscriptionState): string {
  const { face, due, clock } = state;
  const lines = [
    `### ${face.customerName} - ${face.planCode} (${face.currency})`,
    '',
    `**${face.state}**${face.note === '' ? '' : ` - ${face.note}`}`,
    '',
    `- next: ${due === null ? nothing(face.state) : `${dueWords[due.kind]} at ${minute(due.at)} UTC`}`,
  ];
  if (face.period !== null) {
    lines.push(`- period: ${minute(face.period.from)} to ${minute(face.period.to)} UTC (${face.timezone})`);
  }
  if (face.state === 'trial' && face.trialEndsAt !== null) lines.push(`- trial until ${minute(face.trialEndsAt)} UTC`);
  if (face.state === 'paused' && face.pausedAt != null) lines.push(`- paused since ${minute(face.pausedAt)} UTC`);
  if (face.lastInvoice !== null) {
    const { number, status, total, lines: count } = face.lastInvoice;
    lines.push(`- last invoice: \`${number}\` ${status}, ${total}, ${lineCount(count)}`);
  }
  if (state.awaitingSiblings !== null) {
    lines.push(`- fees of ${minute(state.awaitingSiblings.billingAt)} wait for a sibling subscription's close`);
  }
  lines.push(
    clock.kind === 'test'
      ? `- on test clock \`${clock.id}\`, its time ${minute(new Date(clock.nowMs).toISOString())} UTC`
      : '- on the wall clock',
  );
  lines.push(
    '',
    'Support can (updates): `recalculateInvoice`, `pause`, `resume`, `extendTrial`, `terminate`. Changes of plan: by the API.',
  );
  return lines.join('\n');
}

const dueWords = {
  activation: 'activation',
  starting: 'first invoice in advance',
  trial_end: 'end of the trial',
  period_end: 'close of the period',
  units_change: 'billing of added units',
  pause: 'pause',
  resume: 'resumption',
  plan_change: 'change of the plan',
  ending: 'end of the subscription',
} as const;

function nothing(state: SubscriptionState['face']['state']): string {
  return state === 'paused' ? 'nothing until it is told to resume' : 'nothing, this subscription has ended';
}
