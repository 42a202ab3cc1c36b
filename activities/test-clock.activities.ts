import type { TestClockActivities } from '../workflows/test-clock.contract.js';
import type { TestClockWalk } from '../src/test-clocks/test-clock-walk.js';
import { heartbeating } from './heartbeat.js';

export function createTestClockActivities(walk: TestClockWalk): TestClockActivities {
  return {
    advanceTestClock: ({ organizationId, testClockId }) =>
      heartbeating(async () => {
        const { steps, frozenAt } = await walk.run(organizationId, testClockId);
        return { steps, frozenTime: frozenAt.toISOString() };
      }),
  };
}
