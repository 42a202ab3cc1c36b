import { DueMomentEntity, type DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { CutoffBarrier } from '../metering/index.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import type { Logger } from '../platform/logging/logger.js';
import { TestClockEntity } from './test-clock.entity.js';

export interface ClockMembers {
  /** Tells a member's workflow that its clock has reached an instant. */
  advance(moment: DueMomentRow, now: Date): Promise<void>;
}

export interface WalkOptions {
  /** A member that has not moved on after so long is told again. */
  readonly reminderMs: number;
  /** A walk without any progress for so long has failed, and the clock says so. */
  readonly patienceMs: number;
}

const defaults: WalkOptions = { reminderMs: 3_000, patienceMs: 100_000 };

/**
 * Walks a test clock to its target through the due moments of all its members, in time order, each instant to its end:
 *
 *   settle usage (store, bill in advance, late) ─► earliest due moment ≤ target? ──no──► ready
 *        ▲                                        │ yes: the clock shows it, members are told
 *        └──────────── all of them moved on ◄─────┘
 *
 * Where the walk stands is in the record (`frozen_at`), so an interrupted one goes on.
 */
export class TestClockWalk {
  constructor(
    private readonly database: Database,
    private readonly barrier: CutoffBarrier,
    private readonly members: ClockMembers,
    private readonly logger: Logger,
    private readonly options: WalkOptions = defaults,
  ) {}

  async run(organizationId: string, testClockId: string): Promise<{ steps: number; frozenAt: Date }> {
    const tenant = <T>(work: (em: EntityManager) => Promise<T>) => this.database.tenant(organizationId, work);
    let steps = 0;
    try {
      for (;;) {
        // Acknowledged before the advance, or by a step of it: stored before time goes on.
        await this.barrier.settle();
        await this.untilNone(() => tenant((em) => usageToBill(em, testClockId)), 'usage to bill in advance');
        await this.untilNone(() => tenant((em) => lateUsageOfDrafts(em, testClockId)), 'late usage');
        const reached = await tenant((em) => reachNext(em, testClockId));
        if (reached === null) break;
        steps += reached.moments.length;
        await this.perform(organizationId, testClockId, reached);
      }
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      await tenant((em) => em.nativeUpdate(TestClockEntity, { id: testClockId }, { status: 'failed', failure }));
      throw error;
    }
    return tenant(async (em) => {
      const clock = await em.findOneOrFail(TestClockEntity, { id: testClockId });
      clock.frozenAt = clock.targetAt;
      clock.status = 'ready';
      clock.failure = null;
      clock.updatedAt = new Date();
      await em.flush();
      return { steps, frozenAt: clock.frozenAt };
    });
  }

  private async perform(organizationId: string, testClockId: string, reached: Reached): Promise<void> {
    await this.tell(reached.moments, reached.at);
    let told = Date.now();
    await this.untilNone(async () => {
      const waiting = await this.database.tenant(organizationId, (em) => dueBy(em, testClockId, reached.at));
      if (waiting.length > 0 && Date.now() - told > this.options.reminderMs) {
        told = Date.now();
        this.logger.info(
          { testClockId, at: reached.at, waiting: waiting.length },
          'members of a test clock told again',
        );
        await this.tell(waiting, reached.at);
      }
      return waiting.length;
    }, `members due at ${reached.at.toISOString()}`);
  }

  // A month end on a clock is a herd too; told one after the other, the last one would wait for all the calls before.
  private async tell(moments: readonly DueMomentRow[], at: Date): Promise<void> {
    for (let start = 0; start < moments.length; start += CALLS_AT_ONCE) {
      const some = moments.slice(start, start + CALLS_AT_ONCE);
      await Promise.all(some.map((moment) => this.members.advance(moment, at)));
    }
  }

  private async untilNone(left: () => Promise<number>, what: string): Promise<void> {
    let progressAt = Date.now();
    let before = Infinity;
    let poll = SHORTEST_POLL_MS;
    for (;;) {
      const count = await left();
      if (count === 0) return;
      if (count < before) progressAt = Date.now();
      before = count;
      if (Date.now() - progressAt > this.options.patienceMs) {
        throw new Error(`The test clock does not get on: ${count} × ${what} for ${this.options.patienceMs / 1000} s`);
      }
      await new Promise((resolve) => setTimeout(resolve, poll));
      // Each look is a transaction that the members' own work has to share the machine with.
      poll = Math.min(LONGEST_POLL_MS, poll * 1.3);
    }
  }
}

const CALLS_AT_ONCE = 32;
const SHORTEST_POLL_MS = 15;
const LONGEST_POLL_MS = 30;

interface Reached {
  readonly at: Date;
  readonly moments: readonly DueMomentRow[];
}

/** Moves the clock to the earliest due moment up to its target; null when none is left. */
async function reachNext(em: EntityManager, testClockId: string): Promise<Reached | null> {
  const clock = await em.findOneOrFail(TestClockEntity, { id: testClockId });
  const [first] = await em.find(
    DueMomentEntity,
    { testClockId, dueAt: { $lte: clock.targetAt } },
    { orderBy: { dueAt: 'asc' }, limit: 1 },
  );
  if (first === undefined) return null;
  // A moment put in the past (a command, a shortened grace) is due now; time never goes back.
  const at = first.dueAt > clock.frozenAt ? first.dueAt : clock.frozenAt;
  clock.frozenAt = at;
  clock.updatedAt = new Date();
  await em.flush();
  return { at, moments: await dueBy(em, testClockId, at) };
}

function dueBy(em: EntityManager, testClockId: string, at: Date): Promise<DueMomentRow[]> {
  return em.find(
    DueMomentEntity,
    { testClockId, dueAt: { $lte: at } },
    { orderBy: { dueAt: 'asc', ownerId: 'asc' }, disableIdentityMap: true },
  );
}

async function usageToBill(em: EntityManager, testClockId: string): Promise<number> {
  const [row] = await em.execute<{ count: number }[]>(
    `select count(*)::int as count from advance_usage u
      where exists (
        select 1 from subscriptions s join customers c on c.id = s.customer_id and c.test_clock_id = ?
         where s.organization_id = u.organization_id and s.external_id = u.external_subscription_id
      )`,
    [testClockId],
  );
  return row?.count ?? 0;
}

async function lateUsageOfDrafts(em: EntityManager, testClockId: string): Promise<number> {
  const [row] = await em.execute<{ count: number }[]>(
    `select count(*)::int as count from late_usage l
       join invoices i on i.id = l.invoice_id and i.status = 'draft'
       join customers c on c.id = i.customer_id and c.test_clock_id = ?`,
    [testClockId],
  );
  return row?.count ?? 0;
}
