import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { SearchAttributePair } from '@temporalio/common';
import { invoiceSearchAttributes } from '../../workflows/invoice.attributes.js';
import {
  type InvoiceDue,
  type InvoiceDueKind,
  invoiceSignals,
  type InvoiceState,
  invoiceWorkflow,
  invoiceWorkflowId,
} from '../../workflows/invoice.contract.js';
import { searchAttributePairs } from '../../workflows/search-attributes.js';
import { subscriptionSearchAttributes } from '../../workflows/subscription.attributes.js';
import {
  type ClockState,
  type DueMomentState,
  signals,
  type SubscriptionState,
  subscriptionWorkflow,
  subscriptionWorkflowId,
} from '../../workflows/subscription.contract.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import type { DueKind } from '../domain/subscriptions/due-moments.js';
import { DueMomentEntity, type DueMomentRow } from '../due-moments/due-moment.entity.js';
import { Waker } from '../due-moments/due-moments.js';
import { billAllInAdvance } from '../invoicing/advance-billing.js';
import { InvoiceEntity } from '../invoicing/invoice.entity.js';
import type { LateUsageNotice, UsageInAdvance, UsageNotifier } from '../metering/index.js';
import type { Config } from '../platform/config.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import type { Logger } from '../platform/logging/logger.js';
import { SubscriptionEntity, type SubscriptionRow } from '../subscriptions/subscription.entity.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { invoiceFace, subscriptionFace } from './faces.js';
import { spreadOf } from './spread.js';

interface WorkflowStart {
  readonly type: string;
  readonly state: SubscriptionState | InvoiceState;
  readonly signal: string;
  readonly signalArgs: unknown[];
  readonly attributes: SearchAttributePair[];
  readonly summary: string;
}

/** Nobody waits longer than this for Temporal; the record has what is to be told, and a sweep tells it. */
const TOLD_WITHIN_MS = 4_000;
const CALLS_AT_ONCE = 16;

type WakerConfig = Pick<Config, 'temporalTaskQueue' | 'billingSpreadSeconds'>;

/**
 * Tells workflows of what the record holds, and starts those that do not run: signal-with-start, so that one call serves a
 * new subscription, a lost workflow and a change alike. Told twice, a workflow asks the record and finds nothing to do.
 */
export class TemporalWaker extends Waker implements UsageNotifier {
  constructor(
    private readonly client: Client,
    private readonly database: Database,
    private readonly config: WakerConfig,
    private readonly logger: Logger,
  ) {
    super();
  }

  async wake(moments: readonly DueMomentRow[]): Promise<void> {
    for (const moment of moments) {
      try {
        await this.tell(moment);
      } catch (error) {
        // The row stays unnotified; the worker's sweep tells it when Temporal is back.
        this.logger.warn({ err: error, workflowId: moment.workflowId }, 'workflows not told, the sweep will');
        // A server that does not answer one does not answer the next; a caller waits once, not once for each.
        return;
      }
    }
  }

  /** As `wake`, for callers that repeat on failure. */
  async tell(moment: DueMomentRow): Promise<void> {
    const start = await this.database.tenant(moment.organizationId, (em): Promise<WorkflowStart> =>
      moment.ownerKind === 'subscription' ? this.subscriptionStart(em, moment) : this.invoiceStart(em, moment),
    );
    await this.signalWithStart(moment.workflowId, start, start.signal, start.signalArgs);
    await this.database.tenant(moment.organizationId, (em) =>
      em.nativeUpdate(
        DueMomentEntity,
        { ownerKind: moment.ownerKind, ownerId: moment.ownerId, updatedAt: moment.updatedAt },
        { notifiedAt: new Date() },
      ),
    );
  }

  /** Starts the workflow of a subscription with nothing due: one that is paused until it is told to resume. */
  async tellPaused(subscription: SubscriptionRow): Promise<void> {
    const { organizationId, externalId, ordinal } = subscription;
    const start = await this.database.tenant(organizationId, (em) => this.subscriptionStateFor(em, subscription, null));
    const workflowId = subscriptionWorkflowId(organizationId, externalId, ordinal);
    await this.signalWithStart(workflowId, start, start.signal, start.signalArgs);
  }

  /** A test clock has reached an instant: its members with something due hear of it. */
  async advance(moment: DueMomentRow, now: Date): Promise<void> {
    const handle = this.client.workflow.getHandle(moment.workflowId);
    try {
      await handle.signal(signals.clockAdvanced, { now: now.toISOString() });
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      // Its state is made from the record, which already shows the clock's new time.
      await this.tell(moment);
    }
  }

  async notify(rows: readonly LateUsageNotice[]): Promise<void> {
    await this.refreshDrafts(
      rows.flatMap(({ organizationId, invoiceId }) => (invoiceId === null ? [] : [{ organizationId, id: invoiceId }])),
    );
  }

  /** Those among the invoices that are drafts compute themselves again. */
  async refreshDrafts(invoices: readonly { readonly organizationId: string; readonly id: string }[]): Promise<void> {
    for (const { organizationId, id } of invoices) {
      const moment = await this.database.tenant(organizationId, async (em) => {
        const draft = await em.findOne(InvoiceEntity, { id, status: 'draft' });
        return draft === null ? null : em.findOne(DueMomentEntity, { ownerKind: 'invoice', ownerId: id });
      });
      // An issued invoice does not change: late usage of it stays known, for the correction of a closed period.
      if (moment !== null) await this.signalInvoice(moment, invoiceSignals.usageCorrected);
    }
  }

  async billInAdvance(subscriptions: readonly UsageInAdvance[]): Promise<void> {
    for (let start = 0; start < subscriptions.length; start += CALLS_AT_ONCE) {
      await Promise.all(subscriptions.slice(start, start + CALLS_AT_ONCE).map((one) => this.tellOfUsage(one)));
    }
  }

  /**
   * The subscription's workflow bills usage in advance, between its other steps. Of one that has ended the workflow is
   * started again for it; usage of a subscription that never was is nobody's, and forgotten here.
   */
  private async tellOfUsage({ organizationId, externalSubscriptionId }: UsageInAdvance): Promise<void> {
    const found = await this.database.tenant(organizationId, async (em) => {
      const rows = await em.find(
        SubscriptionEntity,
        { organizationId, externalId: externalSubscriptionId },
        { orderBy: { ordinal: 'desc' } },
      );
      const subscription = rows.find((row) => row.status === 'active') ?? rows[0];
      if (subscription === undefined) {
        await billAllInAdvance(em, { organizationId, externalSubscriptionId });
        return null;
      }
      const moment = await em.findOne(DueMomentEntity, { ownerKind: 'subscription', ownerId: subscription.id });
      const workflowId = subscriptionWorkflowId(organizationId, externalSubscriptionId, subscription.ordinal);
      return { workflowId, start: await this.subscriptionStateFor(em, subscription, moment) };
    });
    if (found === null) return;
    const { workflowId, start } = found;
    await this.signalWithStart(workflowId, start, signals.usageInAdvance);
  }

  /** The gateway reported something about a payment of this invoice. */
  async paymentUpdated(organizationId: string, invoiceId: string): Promise<void> {
    const workflowId = invoiceWorkflowId(organizationId, invoiceId);
    try {
      await this.client.workflow.getHandle(workflowId).signal(invoiceSignals.paymentUpdated);
    } catch (error) {
      // Nothing is awaited any more: the record has been updated, and there is nobody to tell.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  private async signalInvoice(moment: DueMomentRow, signal: string): Promise<void> {
    const start = await this.database.tenant(moment.organizationId, (em) => this.invoiceStart(em, moment));
    await this.signalWithStart(moment.workflowId, start, signal);
  }

  // A call that gets no answer ends with its deadline, whoever waits for it.
  private async signalWithStart(
    workflowId: string,
    { type, state, attributes, summary }: WorkflowStart,
    signal: string,
    signalArgs: unknown[] = [],
  ): Promise<void> {
    await this.client.withDeadline(Date.now() + TOLD_WITHIN_MS, () =>
      this.client.workflow.signalWithStart(type, {
        ...{ workflowId, signal, signalArgs },
        taskQueue: this.config.temporalTaskQueue,
        args: [state],
        typedSearchAttributes: attributes,
        staticSummary: summary,
      }),
    );
  }

  private async subscriptionStart(em: EntityManager, moment: DueMomentRow): Promise<WorkflowStart> {
    return this.subscriptionStateFor(em, await em.findOneOrFail(SubscriptionEntity, { id: moment.ownerId }), moment);
  }

  private async subscriptionStateFor(
    em: EntityManager,
    subscription: SubscriptionRow,
    moment: DueMomentRow | null,
  ): Promise<WorkflowStart> {
    const { testClockId } = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
    const due: DueMomentState | null =
      moment === null ? null : { kind: moment.kind as DueKind, at: moment.dueAt.toISOString() };
    const now = await presentOn(em, testClockId);
    const face = await subscriptionFace(em, subscription.id, now);
    const state: SubscriptionState = {
      v: 1,
      organizationId: subscription.organizationId,
      subscriptionId: subscription.id,
      externalId: subscription.externalId,
      clock: await this.clockState(em, { testClockId: testClockId ?? null, customerId: subscription.customerId }, now),
      due,
      awaitingSiblings: null,
      face,
    };
    return {
      type: subscriptionWorkflow,
      state,
      signal: signals.dueMomentChanged,
      signalArgs: [{ due }],
      attributes: searchAttributePairs(subscriptionSearchAttributes(state)),
      summary: `${face.customerName} on ${face.planCode}`,
    };
  }

  private async invoiceStart(em: EntityManager, moment: DueMomentRow): Promise<WorkflowStart> {
    const now = await presentOn(em, moment.testClockId);
    const face = await invoiceFace(em, moment.ownerId);
    const due: InvoiceDue = { kind: moment.kind as InvoiceDueKind, at: moment.dueAt.toISOString() };
    const state: InvoiceState = {
      v: 1,
      organizationId: moment.organizationId,
      invoiceId: moment.ownerId,
      clock: await this.clockState(em, moment, now),
      due,
      face,
    };
    return {
      type: invoiceWorkflow,
      state,
      signal: invoiceSignals.dueMomentChanged,
      signalArgs: [{ due, face }],
      attributes: searchAttributePairs(invoiceSearchAttributes(state, face, due)),
      summary: `${face.customerName}, ${face.total}`,
    };
  }

  private async clockState(
    em: EntityManager,
    moment: Pick<DueMomentRow, 'testClockId' | 'customerId'>,
    now: Date,
  ): Promise<ClockState> {
    if (moment.testClockId != null) return { kind: 'test', id: moment.testClockId, nowMs: now.getTime() };
    const customer = await em.findOneOrFail(CustomerEntity, { id: moment.customerId });
    return { kind: 'wall', spreadMs: spreadOf(customer.id, this.config.billingSpreadSeconds) };
  }
}
