import { DueMomentEntity, type DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { Config } from '../platform/config.js';
import type { Database } from '../platform/database/database.js';
import type { Logger } from '../platform/logging/logger.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import type { TemporalWaker } from './temporal-waker.js';

const ROUND_ROWS = 200;
/** Younger ones are being told by whoever stored them. */
const UNNOTIFIED_AFTER_MS = 2_000;
/** A workflow that runs acts within seconds of its moment; one that did not is lost or stuck, and is told again. */
const OVERDUE_AFTER_MS = 60_000;

/**
 * Closes the gap between the record and Temporal: tells workflows of moments that could not be told when they were stored,
 * and starts those that should have acted on the wall clock and did not (a lost workflow, a restored Temporal database).
 */
export class DueMomentSweep {
  constructor(
    private readonly database: Database,
    private readonly waker: TemporalWaker,
    private readonly config: Pick<Config, 'billingSpreadSeconds'>,
    private readonly logger: Logger,
  ) {}

  /** One round; returns how many workflows were told. */
  async round(now: Date): Promise<number> {
    const overdue = now.getTime() - OVERDUE_AFTER_MS;
    const moments = await this.database.system((em) =>
      em.find(
        DueMomentEntity,
        {
          $or: [
            { notifiedAt: null, updatedAt: { $lt: new Date(now.getTime() - UNNOTIFIED_AFTER_MS) } },
            {
              testClockId: null,
              dueAt: { $lt: new Date(overdue - this.config.billingSpreadSeconds * 1000) },
              notifiedAt: { $lt: new Date(overdue) },
            },
          ],
        },
        { orderBy: { dueAt: 'asc' }, limit: ROUND_ROWS },
      ),
    );
    for (const moment of moments) await this.waker.tell(moment);
    if (moments.length > 0) this.logger.info({ told: moments.length }, 'workflows told of due moments');
    return moments.length;
  }

  /**
   * Starts the workflow of every due moment in the record, whatever was told before, and of every subscription that is paused
   * until it is told to resume: after Temporal has lost its own.
   */
  async rebuild(report: (told: number) => void): Promise<number> {
    let told = 0;
    let after: Pick<DueMomentRow, 'ownerKind' | 'ownerId'> | null = null;
    for (;;) {
      const page: DueMomentRow[] = await this.database.system((em) =>
        em.find(DueMomentEntity, after === null ? {} : { $and: [keyAfter(after)] }, {
          orderBy: { ownerKind: 'asc', ownerId: 'asc' },
          limit: ROUND_ROWS,
        }),
      );
      for (const moment of page) await this.waker.tell(moment);
      told += page.length;
      report(told);
      after = page.at(-1) ?? null;
      if (page.length < ROUND_ROWS) break;
    }
    let last = '00000000-0000-0000-0000-000000000000';
    for (;;) {
      const page = await this.database.system((em) =>
        em.find(
          SubscriptionEntity,
          { status: 'active', doneKind: 'pause', resumeAt: null, id: { $gt: last } },
          { orderBy: { id: 'asc' }, limit: ROUND_ROWS },
        ),
      );
      for (const subscription of page) await this.waker.tellPaused(subscription);
      told += page.length;
      report(told);
      last = page.at(-1)?.id ?? last;
      if (page.length < ROUND_ROWS) return told;
    }
  }
}

function keyAfter({ ownerKind, ownerId }: Pick<DueMomentRow, 'ownerKind' | 'ownerId'>) {
  return { $or: [{ ownerKind: { $gt: ownerKind } }, { ownerKind, ownerId: { $gt: ownerId } }] };
}
