import { LockMode } from '@mikro-orm/core';
import type { EntityManager } from '../platform/database/database.js';
import { DueMomentEntity, type DueMomentRow } from './due-moment.entity.js';

export type OwnerKind = 'subscription' | 'invoice';

/** The due moment of a workflow, locked until the transaction ends: whoever performs it or moves it does so alone. */
export function lockDueMoment(em: EntityManager, ownerKind: OwnerKind, ownerId: string): Promise<DueMomentRow | null> {
  return em.findOne(DueMomentEntity, { ownerKind, ownerId }, { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true });
}

export interface NewDueMoment {
  readonly ownerKind: OwnerKind;
  readonly ownerId: string;
  readonly organizationId: string;
  readonly customerId: string;
  readonly workflowId: string;
  readonly kind: string;
  readonly dueAt: Date;
  readonly currency: string | null;
  readonly testClockId: string | null;
  /** True when the workflow learns of it anyway, as the result of the activity that stores it. */
  readonly known: boolean;
}

/** Stores what comes next for a workflow. One row per owner: the former moment is done or superseded. */
export async function storeDueMoment(em: EntityManager, moment: NewDueMoment): Promise<DueMomentRow> {
  const now = new Date();
  const { known, ...fields } = moment;
  const values = { ...fields, notifiedAt: known ? now : null, updatedAt: now };
  return em.upsert(DueMomentEntity, values as never) as Promise<DueMomentRow>;
}

/** Nothing comes next: the workflow ends. */
export async function clearDueMoment(em: EntityManager, ownerKind: OwnerKind, ownerId: string): Promise<void> {
  await em.nativeDelete(DueMomentEntity, { ownerKind, ownerId });
}

/**
 * Tells workflows of due moments that the record holds for them; starts those that do not run. Never throws for a Temporal
 * server out of reach: the row stays marked as not notified and a sweep tells it later, so the record alone decides.
 */
export abstract class Waker {
  abstract wake(moments: readonly DueMomentRow[]): Promise<void>;
}
