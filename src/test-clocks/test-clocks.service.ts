import { randomUUID } from 'node:crypto';
import { LockMode } from '@mikro-orm/core';
import { OrganizationEntity } from '../organizations/organization.entity.js';
import type { Database } from '../platform/database/database.js';
import { methodNotAllowed, notFound, validationFailed } from '../platform/http/errors.js';
import { TestClockEntity, type TestClockRow } from './test-clock.entity.js';

/** Starts the walk of a clock; Temporal's side of it lives elsewhere. */
export abstract class ClockStarter {
  abstract start(clock: TestClockRow): Promise<void>;
}

/** Test clocks: a time of their own for the customers that are created on them (design, section 4). */
export class TestClocks {
  constructor(
    private readonly database: Database,
    private readonly starter: ClockStarter,
  ) {}

  async create(organizationId: string, name: string, frozenAt: Date): Promise<TestClockRow> {
    const clock = await this.database.tenant(organizationId, async (em) => {
      const now = new Date();
      const created = em.create(TestClockEntity, {
        id: randomUUID(),
        organizationId,
        name,
        frozenAt,
        targetAt: frozenAt,
        status: 'ready',
        createdAt: now,
        updatedAt: now,
      });
      await em.nativeUpdate(OrganizationEntity, { id: organizationId }, { hasTestClocks: true });
      await em.flush();
      return created;
    });
    return clock;
  }

  async find(organizationId: string, testClockId: string): Promise<TestClockRow> {
    const clock = await this.database.tenant(organizationId, (em) => em.findOne(TestClockEntity, { id: testClockId }));
    if (clock === null) throw notFound('test_clock');
    return clock;
  }

  /** Only forward. To the present it settles and nothing more. A failed walk may be started again. */
  async advance(organizationId: string, testClockId: string, to: Date): Promise<TestClockRow> {
    const clock = await this.database.tenant(organizationId, async (em) => {
      const found = await em.findOne(TestClockEntity, { id: testClockId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (found === null) throw notFound('test_clock');
      if (found.status === 'advancing') throw methodNotAllowed('test_clock_is_advancing');
      if (to < found.frozenAt) throw validationFailed({ frozen_time: ['value_is_out_of_range'] });
      found.targetAt = to;
      found.status = 'advancing';
      found.updatedAt = new Date();
      await em.flush();
      return found;
    });
    try {
      await this.starter.start(clock);
    } catch (error) {
      // Nobody would ever walk it: give the clock back instead of leaving it advancing for good.
      await this.database.tenant(organizationId, (em) =>
        em.nativeUpdate(TestClockEntity, { id: clock.id }, { status: 'ready', targetAt: clock.frozenAt }),
      );
      throw error;
    }
    return clock;
  }
}
