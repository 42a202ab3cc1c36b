import { randomUUID } from 'node:crypto';
import { loadSubscriptionPlan } from '../catalog/rated-plan.js';
import type { EntityManager } from '../platform/database/database.js';
import { methodNotAllowed, validationFailed } from '../platform/http/errors.js';
import { isPaused } from './lifecycle.js';
import { commandInstant, type Commanded } from './plan-change.js';
import { type Household, scheduleNext } from './schedule.js';
import { SubscriptionPauseEntity } from './subscription-pause.entity.js';
import type { SubscriptionRow } from './subscription.entity.js';

/**
 * A subscription stands still from now on: usage dated in a pause is not billed, and neither are its days. The step at its
 * beginning bills what is owed up to there and gives back what was paid in advance; the one at its end begins again like a
 * start, for what is left of the period then.
 *
 * The day on which it pauses is not billed, the day on which it resumes is.
 */
export async function pause(
  em: EntityManager,
  current: SubscriptionRow,
  resumeAt: Date | null,
  household: Household,
): Promise<Commanded> {
  const { now } = household;
  if (isPaused(current, now)) throw methodNotAllowed('subscription_is_paused');
  // The resumption before this has not been billed yet.
  if (current.pausedAt != null) throw methodNotAllowed('subscription_is_resuming');
  if (current.nextPlanAt != null) throw methodNotAllowed('plan_change_is_pending');
  if (resumeAt !== null && resumeAt <= now) throw validationFailed({ resume_at: ['invalid_date'] });
  const plan = await loadSubscriptionPlan(em, current);
  current.pausedAt = commandInstant(current, now);
  current.resumeAt = resumeAt;
  current.updatedAt = now;
  await em.flush();
  em.create(SubscriptionPauseEntity, {
    id: randomUUID(),
    organizationId: current.organizationId,
    subscriptionId: current.id,
    externalSubscriptionId: current.externalId,
    fromAt: current.pausedAt,
    untilAt: resumeAt,
    createdAt: now,
  });
  await em.flush();
  return { id: current.id, due: await scheduleNext(em, current, plan, household) };
}

/** At once, or at an instant to come; said again, the last word counts. */
export async function resume(
  em: EntityManager,
  current: SubscriptionRow,
  resumeAt: Date | null,
  household: Household,
): Promise<Commanded> {
  const { now } = household;
  if (!isPaused(current, now)) throw methodNotAllowed('subscription_is_not_paused');
  if (resumeAt !== null && resumeAt <= now) throw validationFailed({ resume_at: ['invalid_date'] });
  current.resumeAt = resumeAt ?? commandInstant(current, now);
  current.updatedAt = now;
  await em.nativeUpdate(
    SubscriptionPauseEntity,
    { subscriptionId: current.id, fromAt: current.pausedAt! },
    { untilAt: current.resumeAt },
  );
  await em.flush();
  const plan = await loadSubscriptionPlan(em, current);
  return { id: current.id, due: await scheduleNext(em, current, plan, household) };
}

/** The end of a trial that is running, later than it was: what was promised to the customer is not taken back. */
export async function extendTrial(
  em: EntityManager,
  current: SubscriptionRow,
  trialEndsAt: Date,
  household: Household,
): Promise<Commanded> {
  const { now } = household;
  if (current.trialEndsAt == null || current.trialEndsAt <= now) throw methodNotAllowed('no_trial_is_running');
  if (trialEndsAt < current.trialEndsAt) throw validationFailed({ trial_ends_at: ['invalid_date'] });
  current.trialEndsAt = trialEndsAt;
  current.updatedAt = now;
  await em.flush();
  const plan = await loadSubscriptionPlan(em, current);
  return { id: current.id, due: await scheduleNext(em, current, plan, household) };
}
