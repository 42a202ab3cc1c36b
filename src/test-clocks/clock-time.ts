import type { EntityManager } from '../platform/database/database.js';
import { TestClockEntity } from './test-clock.entity.js';

/** The present for whoever lives on this clock: the test clock's frozen time, or the wall's. */
export async function presentOn(em: EntityManager, testClockId: string | null | undefined): Promise<Date> {
  if (testClockId == null) return new Date();
  const clock = await em.findOneOrFail(TestClockEntity, { id: testClockId }, { refresh: true });
  return clock.frozenAt;
}
