export interface TestClockInput {
  organizationId: string;
  testClockId: string;
  to: string;
}

export interface TestClockResult {
  steps: number;
  frozenTime: string;
}

export interface TestClockActivities {
  advanceTestClock(input: TestClockInput): Promise<TestClockResult>;
}

export const testClockWorkflow = 'testClock';

export function testClockWorkflowId(organizationId: string, testClockId: string): string {
  return `clock/${organizationId}/${testClockId}`;
}
