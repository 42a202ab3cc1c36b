import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { TestClockActivities, TestClockInput } from './test-clock.contract.js';

const activities = proxyActivities<TestClockActivities>({
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/**
 * One advance of a test clock: walks through the due moments of all members in time order and ends when all has settled.
 * The walk is one activity, because its place in time is in the record: an interrupted walk goes on where it was.
 */
export async function testClock(input: TestClockInput): Promise<void> {
  setCurrentDetails(`Advancing test clock \`${input.testClockId}\` to ${input.to}`);
  const { steps, frozenTime } = await activities.advanceTestClock.executeWithOptions(
    { summary: `Advance to ${input.to}` },
    [input],
  );
  setCurrentDetails(`Test clock \`${input.testClockId}\` stands at ${frozenTime} after ${steps} due moments`);
}
