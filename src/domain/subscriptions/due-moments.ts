/**
 * The life of a subscription on one plan as a sequence of due moments.
 *
 *   pending ──activation──► active ──starting?──► ┌─ period_end ─┐ ──ending──────► terminated
 *      │                      │    (in advance)   └──────◄───────┘ ──plan_change─► terminated, and the next plan is active
 *      └─ cancel ► canceled   ├─ trial_end? (once, inside or at the edge of a period)
 *                             └─ pause ► nothing is due but its end ──resume──► active, as if it had begun there
 *
 * A moment carries its nominal instant (design, invariant 7): it is computed once from the facts below, stored, and every
 * amount derives from it; when the work really happens changes nothing. What comes next depends only on the facts and on
 * what has been done already, so a lost workflow can be started again from the record, and a command that arrives while a
 * close is overdue does not make that close disappear: it comes after it.
 */

export type DueKind =
  | 'activation'
  | 'starting'
  | 'trial_end'
  | 'period_end'
  | 'units_change'
  | 'pause'
  | 'resume'
  | 'plan_change'
  | 'ending';

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
  /** Takes over from another plan: that one's `plan_change` makes it active and bills its start. */
  readonly succeeds: boolean;
  /** The instant at which the subscription is to end by its own date: the start of the local day of `ending_at`. */
  readonly endsAt: number | null;
  /** When a command ended it (`terminated_at`, `canceled_at`). */
  readonly endedAt: number | null;
  /** When the next plan takes over: by a command at once, or at a bound of this one's periods. */
  readonly nextPlan: { readonly at: number; readonly atOnce: boolean } | null;
  /** The last time it was told to pause, until it has resumed; when it resumes may not be known. */
  readonly pause: { readonly at: number; readonly resumesAt: number | null } | null;
  /** Since when it has been going on after its last pause. */
  readonly resumedAt: number | null;
  /** The fee is paid in advance; it waits for the end of a trial. */
  readonly payInAdvance: boolean;
  /** Fixed charges are paid in advance; they do not wait. */
  readonly fixedChargesInAdvance: boolean;
  /** After a move to another zone: the start of the period that was running, as it is there. Before it all is closed. */
  readonly closedThrough: number | null;
  /** The oldest change of their units, by a command at once, that is not billed yet. */
  readonly unitsChangedAt: number | null;
  /** End of the trial, null without one. */
  readonly trialEndsAt: number | null;
}

/** First boundary of the charges' or the subscription's periods strictly after an instant. */
export type NextBoundary = (after: number) => number;

/** What has been done: the last performed moment, or null right after creation. */
export type Progress = DueMoment | null;

/**
 * At one instant a trial ends before the period that begins there is billed, and an end or a pause comes after its period's
 * close.
 */
const order: Record<DueKind, number> = {
  activation: 0,
  starting: 1,
  trial_end: 2,
  period_end: 3,
  units_change: 4,
  pause: 5,
  resume: 6,
  plan_change: 7,
  ending: 8,
};

/**
 * The next due moment of a subscription, or null when its life is over or hangs on another one's.
 *
 * Example: monthly calendar, in advance, started 5 March, trial of 10 days, nothing done:
 * `trial_end` 15 March, then `period_end` 1 April, 1 May, ...
 */
export function nextDueMoment(facts: SubscriptionFacts, done: Progress, nextBoundary: NextBoundary): DueMoment | null {
  if (done?.kind === 'ending' || done?.kind === 'plan_change') return null;
  if (facts.startedAt === null) return notStarted(facts);
  const candidates = activeMoments(facts, facts.startedAt, done, nextBoundary).filter((m) => isAfter(m, done));
  candidates.sort((a, b) => a.at - b.at || order[a.kind] - order[b.kind]);
  return candidates[0] ?? null;
}

function notStarted({ status, succeeds, subscriptionAt, endedAt }: SubscriptionFacts): DueMoment | null {
  if (succeeds) return null;
  if (status === 'canceled') return endedAt === null ? null : { kind: 'ending', at: endedAt };
  return { kind: 'activation', at: subscriptionAt };
}

function activeMoments(
  facts: SubscriptionFacts,
  startedAt: number,
  done: Progress,
  nextBoundary: NextBoundary,
): DueMoment[] {
  if (done?.kind === 'pause') return pausedMoments(facts, startedAt);
  const moments: DueMoment[] = [];
  const inTrialAtStart = facts.trialEndsAt !== null && facts.trialEndsAt > startedAt;
  const billsAtStart = (facts.payInAdvance && !inTrialAtStart) || facts.fixedChargesInAdvance;
  if (billsAtStart && !facts.backdated && !facts.succeeds) moments.push({ kind: 'starting', at: startedAt });
  if (inTrialAtStart && facts.trialEndsAt !== null && facts.trialEndsAt >= facts.createdAt)
    moments.push({ kind: 'trial_end', at: facts.trialEndsAt });
  const boundary = nextClose(facts, startedAt, done, nextBoundary);
  const end = endOf(facts, startedAt);
  if (end === null || boundary < end.at || (boundary === end.at && !end.closesPeriod))
    moments.push({ kind: 'period_end', at: boundary });
  if (end !== null) moments.push({ kind: end.kind, at: end.at });
  if (facts.unitsChangedAt !== null) moments.push({ kind: 'units_change', at: facts.unitsChangedAt });
  if (facts.pause !== null) moments.push({ kind: 'pause', at: facts.pause.at });
  return moments;
}

/** The bound at which the running period is closed, whatever else comes before it. */
export function nextClose(
  facts: Pick<SubscriptionFacts, 'createdAt' | 'resumedAt' | 'closedThrough'>,
  startedAt: number,
  done: Progress,
  nextBoundary: NextBoundary,
): number {
  const billableFrom = Math.max(startedAt, facts.createdAt, facts.resumedAt ?? 0, facts.closedThrough ?? 0);
  // A trial may end exactly on a boundary, and that period is still to be closed.
  return nextBoundary(Math.max(billableFrom, done === null ? 0 : done.kind === 'period_end' ? done.at : done.at - 1));
}

// What a pause interrupts is billed by it, and what begins again by the resumption: no period ends in between.
function pausedMoments(facts: SubscriptionFacts, startedAt: number): DueMoment[] {
  const end = endOf(facts, startedAt);
  const resumesAt = facts.pause?.resumesAt ?? null;
  return [
    ...(resumesAt === null ? [] : [{ kind: 'resume' as const, at: resumesAt }]),
    ...(end === null ? [] : [{ kind: end.kind, at: end.at }]),
  ];
}

interface End extends DueMoment {
  /**
   * An end that was known before, on a boundary, closes that last period itself: one document, no fee for a day that never
   * was. A command on a boundary comes after the close, whether or not that has been performed yet.
   */
  readonly closesPeriod: boolean;
}

function endOf({ endsAt, endedAt, nextPlan }: SubscriptionFacts, startedAt: number): End | null {
  const ends: End[] = [];
  if (endsAt !== null) ends.push({ kind: 'ending', at: Math.max(endsAt, startedAt), closesPeriod: true });
  if (nextPlan !== null) ends.push({ kind: 'plan_change', at: nextPlan.at, closesPeriod: !nextPlan.atOnce });
  else if (endedAt !== null) ends.push({ kind: 'ending', at: endedAt, closesPeriod: false });
  // Of two at one instant the one by its own date holds: nothing is left for another plan, and nothing to command.
  return ends.reduce<End | null>((first, one) => (first === null || one.at < first.at ? one : first), null);
}

function isAfter(moment: DueMoment, done: Progress): boolean {
  // One that is billed is no fact any more: of two at one instant of a test clock the second one is still to come.
  if (done === null || done.kind === 'activation' || moment.kind === 'units_change') return true;
  if (moment.at !== done.at) return moment.at > done.at;
  // What has resumed may pause again in the same instant; of the pause before nothing is left in the facts.
  return order[moment.kind] > order[done.kind] || (moment.kind === 'pause' && done.kind === 'resume');
}
