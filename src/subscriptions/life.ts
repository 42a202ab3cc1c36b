import { lockDueMoment } from '../due-moments/due-moments.js';
import type { EntityManager } from '../platform/database/database.js';
import { SubscriptionEntity, type SubscriptionRow } from './subscription.entity.js';

/** Everything that bore one external id: at most one is active, and at most one is to follow it or to start. */
export interface Life {
  /** The oldest first. */
  readonly all: readonly SubscriptionRow[];
  readonly active: SubscriptionRow | null;
  readonly pending: SubscriptionRow | null;
}

/**
 * Held until the transaction ends: of two commands on an external id, and of a command and a change of plan, one comes
 * first. Taken before any due moment of it is locked.
 */
export async function lockLife(em: EntityManager, organizationId: string, externalId: string): Promise<void> {
  await em.execute('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`life/${organizationId}/${externalId}`]);
}

/** The life of an external id, locked: no step and no other command of it happens meanwhile. */
export async function lockedLife(em: EntityManager, organizationId: string, externalId: string): Promise<Life> {
  await lockLife(em, organizationId, externalId);
  const living = await em.find(SubscriptionEntity, {
    organizationId,
    externalId,
    status: { $in: ['active', 'pending'] },
  });
  for (const { id } of living) await lockDueMoment(em, 'subscription', id);
  // Read again: a step may have been performed while the locks were waited for.
  const all = await em.find(
    SubscriptionEntity,
    { organizationId, externalId },
    { orderBy: { ordinal: 'asc' }, refresh: true },
  );
  return { all, active: withStatus(all, 'active'), pending: withStatus(all, 'pending') };
}

function withStatus(all: readonly SubscriptionRow[], status: SubscriptionRow['status']): SubscriptionRow | null {
  return all.find((one) => one.status === status) ?? null;
}

/** The subscription to which a plan change leads from this one; one that was canceled leads nowhere. */
export function successorOf(em: EntityManager, subscription: SubscriptionRow): Promise<SubscriptionRow | null> {
  return em.findOne(
    SubscriptionEntity,
    { previousSubscriptionId: subscription.id, status: { $ne: 'canceled' } },
    { refresh: true },
  );
}

/**
 * Where a life on this external id may begin: a start in the past does not reach into time that a termination has invoiced
 * already (lago-api.md 2.6).
 */
export function clampedStart(asked: Date, former: readonly SubscriptionRow[]): Date {
  const invoiced = former
    .filter((one) => one.startedAt != null && one.terminatedAt != null && one.onTerminationInvoice === 'generate')
    .map((one) => one.terminatedAt!.getTime());
  return new Date(Math.max(asked.getTime(), ...invoiced));
}
