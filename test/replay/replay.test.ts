import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { bundleWorkflowCode, type Logger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import * as workflows from '../../workflows/index.js';
import { activitiesOf, recordedHistories, workflowTypeOf } from './histories.js';

/**
 * Runs that began under yesterday's code go on under today's: every recorded life is replayed against the workflows as they
 * are now. A failure here means that open subscriptions would get stuck after a deploy: keep the old
 * way behind `patched`.
 */
jest.setTimeout(180_000);

const recorded = recordedHistories();
let bundle: WorkflowBundle;

/** A replay that fails says why in its error. */
const silent: Logger = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

beforeAll(async () => {
  Runtime.install({ logger: silent, telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } } });
  bundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: silent,
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    }),
  });
});

afterAll(() => Runtime.instance().shutdown());

test('the record has a life of every workflow, with every activity it can ask for', () => {
  const types = new Set(recorded.map(({ history }) => workflowTypeOf(history)));
  expect([...types].sort()).toEqual(Object.keys(workflows).sort());
  const activities = new Set(recorded.flatMap(({ history }) => activitiesOf(history)));
  expect([...activities].sort()).toEqual([
    'activateSubscription',
    'advanceTestClock',
    'billStart',
    'closePeriod',
    'collectPayment',
    'commandInvoice',
    'endSubscription',
    'endTrial',
    'finalizeInvoice',
    'invoiceWithoutSiblings',
    'recalculateInvoice',
    'refreshInvoice',
    'reviewInvoice',
    'reviewPayment',
  ]);
});

test.each(recorded)('$name', async ({ history }) => {
  await Worker.runReplayHistory({ workflowBundle: bundle }, history);
});

test('a life that the code would live differently is caught: a renamed activity', async () => {
  const renamed = { code: bundle.code.replaceAll('closePeriod', 'closeBillingPeriod') };
  const { history } = recorded.find(({ name }) => name === 'subscription-quiet-month')!;
  await expect(Worker.runReplayHistory({ workflowBundle: renamed }, history)).rejects.toThrow(
    DeterminismViolationError,
  );
});

test('a life that the code would live differently is caught: a timer left out', async () => {
  const timeless = { code: bundle.code.replace(/\(woken, wait, \{\s*summary\s*\}\)/, '(woken)') };
  expect(timeless.code === bundle.code).toBe(false);
  const { history } = recorded.find(({ name }) => name === 'subscription-on-the-wall')!;
  await expect(Worker.runReplayHistory({ workflowBundle: timeless }, history)).rejects.toThrow(
    DeterminismViolationError,
  );
});
