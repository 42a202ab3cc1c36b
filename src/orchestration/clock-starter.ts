import type { Client } from '@temporalio/client';
import { searchAttributePairs } from '../../workflows/search-attributes.js';
import { testClockWorkflow, testClockWorkflowId } from '../../workflows/test-clock.contract.js';
import type { Config } from '../platform/config.js';
import type { TestClockRow } from '../test-clocks/test-clock.entity.js';
import { ClockStarter } from '../test-clocks/test-clocks.service.js';

/** One workflow run per advance, all under the clock's id. */
export class TemporalClockStarter extends ClockStarter {
  constructor(
    private readonly client: Client,
    private readonly config: Pick<Config, 'temporalTaskQueue'>,
  ) {
    super();
  }

  async start(clock: TestClockRow): Promise<void> {
    await this.client.workflow.start(testClockWorkflow, {
      workflowId: testClockWorkflowId(clock.organizationId, clock.id),
      taskQueue: this.config.temporalTaskQueue,
      args: [{ organizationId: clock.organizationId, testClockId: clock.id, to: clock.targetAt.toISOString() }],
      // The former advance may still be writing its last event while the record says ready.
      workflowIdConflictPolicy: 'TERMINATE_EXISTING',
      typedSearchAttributes: searchAttributePairs({
        OrganizationId: clock.organizationId,
        TestClockId: clock.id,
      }),
      staticSummary: `${clock.name} to ${clock.targetAt.toISOString()}`,
    });
  }
}
