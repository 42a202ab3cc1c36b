import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import {
  aCharge,
  aCustomer,
  aPlan,
  aProduct,
  aSubscription,
  given,
  itIs,
  itIsTerminated,
  type Product,
  type Story,
  theCardBecomes,
  theWallClock,
  until,
  usage,
} from '../builders/index.js';
import { writeHistory } from './histories.js';

/**
 * Lives a few lives on real servers and keeps the histories of their workflows: `npm run build && node
 * dist/test/replay/record.main.js`. To be run again when a workflow has been changed with `patched`, beside the old files,
 * which stay as long as runs of their kind may be open.
 */
const PLAN = aPlan().costing(4900).withCharge(aCharge().standard('0.10'));
const EMPTY = 'pm_card_chargeDeclinedInsufficientFunds';

const product = await aProduct({
  own: ['postgres', 'nats', 'temporal'],
  env: { BILLOW_SIBLING_PATIENCE_SECONDS: '1' },
});
try {
  await aSubscriptionFromTrialToEnd(product);
  await aSubscriptionInAdvance(product);
  await aSubscriptionOnTheWall(product);
  await aSiblingThatWaitedInVain(product);
  await anInvoiceWithGraceAndRetries(product);
} finally {
  await product.stop();
}

async function aSubscriptionFromTrialToEnd(product: Product): Promise<void> {
  const story = await given(product, PLAN.withTrialOf(10), aSubscription().from('2024-01-05T00:00:00Z'));
  await story.when(
    itIs('2024-01-20T00:00:00Z'),
    usage(5).at('2024-01-20T00:00:00Z'),
    itIs('2024-02-03T00:00:00Z'),
    recalculated('subscription', 'sub'),
    itIs('2024-03-10T00:00:00Z'),
    itIsTerminated(),
  );
  const runs = await runsOf(story, `subscription/${story.organizationId}/sub/1`);
  const names = ['subscription-activation', 'subscription-trial', 'subscription-quiet-month', 'subscription-end'];
  // One run of the activation, one a period, and the last one with its end.
  if (runs.length !== names.length) throw new Error(`${runs.length} runs were recorded, ${names.length} expected`);
  for (const [i, runId] of runs.entries())
    await record(story, names[i]!, `subscription/${story.organizationId}/sub/1`, runId);
  await record(story, 'test-clock', `clock/${story.organizationId}/${story.clockId}`);
}

async function aSubscriptionInAdvance(product: Product): Promise<void> {
  const story = await given(product, PLAN.inAdvance());
  await story.when(itIs('2024-02-01T00:00:00Z'));
  const id = `subscription/${story.organizationId}/sub/1`;
  await record(story, 'subscription-in-advance', id, (await runsOf(story, id))[0]);
}

async function aSubscriptionOnTheWall(product: Product): Promise<void> {
  const story = await given(product, theWallClock(), PLAN);
  await story.when(usage(3));
  const id = `subscription/${story.organizationId}/sub/1`;
  await until('it waits for the end of its month', async () => {
    const { events } = await product.temporal.workflow.getHandle(id).fetchHistory();
    return events?.some(({ timerStartedEventAttributes: timer }) => timer != null) ?? false;
  });
  await story.api.delete('/api/v1/subscriptions/sub');
  await product.temporal.workflow.getHandle(id).result();
  await record(story, 'subscription-on-the-wall', id);
}

async function aSiblingThatWaitedInVain(product: Product): Promise<void> {
  const story = await given(product, PLAN, aSubscription('swift'), aSubscription('stuck'));
  const stuck = await product.holdRows(
    `select from due_moments d join subscriptions s on s.id = d.owner_id
      where s.organization_id = $1 and s.external_id = 'stuck' for update of d`,
    [story.organizationId],
  );
  await story.startAdvance('2024-02-01T00:00:00Z');
  await until('the swift one has its invoice', async () => (await story.invoices()).length === 1);
  await stuck.letGo();
  await story.ready();
  await story.when(itIs('2024-03-01T00:00:00Z'));
  const id = `subscription/${story.organizationId}/swift/1`;
  await record(story, 'subscription-impatient', id, (await runsOf(story, id))[1]);
}

async function anInvoiceWithGraceAndRetries(product: Product): Promise<void> {
  const story = await given(product, PLAN, aCustomer().inGraceFor(3).payingWith(EMPTY));
  await story.when(usage(5).at('2024-01-20T00:00:00Z'), itIs('2024-02-01T00:00:00Z'));
  const { lago_id: invoiceId } = await story.lastInvoice();
  await story.when(usage(2).at('2024-01-21T00:00:00Z'));
  await until('it has the late usage', async () => (await story.lastInvoice()).total_amount_cents === 4970);
  await story.when(recalculated('invoice', invoiceId));
  await story.api.put(`/api/v1/invoices/${invoiceId}/refresh`);
  await story.when(itIs('2024-02-08T00:00:00Z'));
  await product.temporal.workflow.getHandle(`invoice/${story.organizationId}/${invoiceId}`).signal('paymentUpdated');
  await story.when(theCardBecomes('pm_card_outage'), itIs('2024-02-20T00:00:00Z'));
  const paid = await story.invoice(invoiceId);
  if (paid.payment_status !== 'succeeded') throw new Error(`The invoice should be paid, it is ${paid.payment_status}`);
  await record(story, 'invoice-grace-and-retries', `invoice/${story.organizationId}/${invoiceId}`);
}

function recalculated(kind: 'subscription' | 'invoice', id: string) {
  return {
    async happen({ organizationId, product: { temporal } }: Story) {
      const workflowId =
        kind === 'invoice' ? `invoice/${organizationId}/${id}` : `subscription/${organizationId}/${id}/1`;
      const handle = temporal.workflow.getHandle(workflowId);
      if (kind === 'invoice') await handle.executeUpdate('recalculateInvoice');
      else await handle.executeUpdate<unknown, [object]>('recalculateInvoice', { args: [{}] });
    },
  };
}

/** The runs of a workflow id, the first one first. */
async function runsOf({ product }: Story, workflowId: string): Promise<string[]> {
  const runs: { runId: string; historyLength: number; startTime: Date }[] = [];
  const { runId: last } = await product.temporal.workflow.getHandle(workflowId).describe();
  const listed = () => runs.some(({ runId }) => runId === last);
  await until('the runs are listed', async () => {
    runs.length = 0;
    for await (const run of product.temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) runs.push(run);
    return listed();
  });
  return runs.sort((a, b) => a.startTime.getTime() - b.startTime.getTime()).map(({ runId }) => runId);
}

async function record({ product }: Story, name: string, workflowId: string, runId?: string): Promise<void> {
  const history = await product.temporal.workflow.getHandle(workflowId, runId).fetchHistory();
  const json = historyToJSON(history);
  writeHistory(name, json);
  console.log(`${name}: ${history.events?.length ?? 0} events, ${Math.round(json.length / 1024)} KB`);
}
