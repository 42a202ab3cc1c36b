/**
 * The life of a subscription as a sequence of due moments.
 *
 *   pending ──activation──► active ──starting?──► ┌─ period_end ─┐ ──ending──► terminated
 *      │                      │    (in advance)   └──────◄───────┘
 *      └─ cancel ► canceled   └─ trial_end? (once, inside or at the edge of a period)
 *
 * A moment carries its nominal instant (design, invariant 7): it is computed once from the facts below, stored, and every
 * amount derives from it; when the work really happens changes nothing. What comes next depends only on the facts and on
 * what has been done already, so a lost workflow can be started again from the record.
 */

export type DueKind = 'activation' | 'starting' | 'trial_end' | 'period_end' | 'ending';

export interface DueMoment {
  readonly kind: DueKind;
  /** Nominal instant, epoch milliseconds. */
  readonly at: number;
}

export interface SubscriptionFacts {
  readonly status: 'pending' | 'active' | 'terminated' | 'canceled';
  readonly subscriptionAt: number;
  readonly startedAt: number | null;
  /** When Billow learned of it; boundaries before it are not made up (lago-api.md 2.6). */
  readonly createdAt: number;
  /** Started on an earlier local day than it was created: the running period counts as paid. */
  readonly backdated: boolean;
  /** The instant at which the subscription is to end: the start of the local day of `ending_at`. */
  readonly endsAt: number | null;
  readonly payInAdvance: boolean;
  /** End of the trial, null without one. */
  readonly trialEndsAt: number | null;
}

/** First boundary of the charges' or the subscription's periods strictly after an instant. */
export type NextBoundary = (after: number) => number;

/** What has been done: the last performed moment, or null right after creation. */
export type Progress = DueMoment | null;

/** At one instant a trial ends before the period that begins there is billed, and an end comes after its period's close. */
const order: Record<DueKind, number> = { activation: 0, starting: 1, trial_end: 2, period_end: 3, ending: 4 };

/**
 * The next due moment of a subscription, or null when its life is over.
 *
 * Example: monthly calendar, in advance, started 5 March, trial of 10 days, nothing done:
 * `trial_end` 15 March, then `period_end` 1 April, 1 May, ...
 */
export function nextDueMoment(facts: SubscriptionFacts, done: Progress, nextBoundary: NextBoundary): DueMoment | null {
  if (facts.status === 'terminated' || facts.status === 'canceled') return null;
  if (facts.status === 'pending' || facts.startedAt === null) return { kind: 'activation', at: facts.subscriptionAt };
  const candidates = activeMoments(facts, facts.startedAt, done, nextBoundary).filter((m) => isAfter(m, done));
  candidates.sort((a, b) => a.at - b.at || order[a.kind] - order[b.kind]);
  return candidates[0] ?? null;
}

function activeMoments(
  facts: SubscriptionFacts,
  startedAt: number,
  done: Progress,
  nextBoundary: NextBoundary,
): DueMoment[] {
  const moments: DueMoment[] = [];
  const inTrialAtStart = facts.trialEndsAt !== null && facts.trialEndsAt > startedAt;
  if (facts.payInAdvance && !inTrialAtStart && !facts.backdated) moments.push({ kind: 'starting', at: startedAt });
  if (inTrialAtStart && facts.trialEndsAt !== null && facts.trialEndsAt >= facts.createdAt)
    moments.push({ kind: 'trial_end', at: facts.trialEndsAt });
  const billableFrom = Math.max(startedAt, facts.createdAt);
  // A trial may end exactly on a boundary, and that period is still to be closed.
  const closedUpTo = Math.max(billableFrom, done === null ? 0 : done.kind === 'period_end' ? done.at : done.at - 1);
  const boundary = nextBoundary(closedUpTo);
  if (facts.endsAt === null || boundary < facts.endsAt) moments.push({ kind: 'period_end', at: boundary });
  // An end on a boundary closes that last period itself: one document, no fee for a day that never was.
  if (facts.endsAt !== null) moments.push({ kind: 'ending', at: Math.max(facts.endsAt, startedAt) });
  return moments;
}

function isAfter(moment: DueMoment, done: Progress): boolean {
  if (done === null || done.kind === 'activation') return true;
  return moment.at > done.at || (moment.at === done.at && order[moment.kind] > order[done.kind]);
}
