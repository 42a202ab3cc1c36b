import { randomUUID } from 'node:crypto';
import type { RatedPlan } from '../catalog/rated-plan.js';
import { planPeriodDays, type StepKind } from '../domain/calendar/step-spans.js';
import { DueMomentEntity, type DueMomentRow } from '../due-moments/due-moment.entity.js';
import type { UsageReader } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import type { SubscriptionRow } from '../subscriptions/subscription.entity.js';
import type { BillingContext } from './billing-context.js';
import { BillingPeriodEntity, type BillingPeriodRow } from './billing-period.entity.js';
import { stepSituation, storedBoundaries, storedSpans, type StoredSpan } from './billing-spans.js';
import { computeFees } from './fee-computation.js';
import { type BillingGroup, composeGroup } from './invoice-composition.js';
import { nextInvoiceDue, storeInvoiceDue } from './invoice-due.js';
import type { InvoiceRow } from './invoice.entity.js';
import { regroupPaidFees } from './regrouped-fees.js';

export type InvoicingReason =
  'in_advance_charge' | 'subscription_starting' | 'subscription_periodic' | 'subscription_terminating';

/** Period ends of one instant share an invoice; every other step is a document of its own. */
export const PERIODIC_GROUP = 'periodic';

export interface BillingStep {
  readonly em: EntityManager;
  readonly reader: UsageReader;
  readonly context: BillingContext;
  readonly subscription: SubscriptionRow;
  readonly plan: RatedPlan;
  /** Nominal instant of the step: amounts derive from it, not from when the work happens (invariant 7). */
  readonly billingAt: Date;
  readonly reason: InvoicingReason;
  /** What of the subscription's time is billed. */
  readonly covers: StepKind;
  /** What ends here goes on with a plan to which the instant and its local day belong. */
  readonly endedByUpgrade?: boolean;
  /** What is billed together in another way than the step says. */
  readonly group?: string;
  /** What covers the end of a pause: when it began. */
  readonly pausedAt?: Date | null;
  readonly partition: number;
  /** Every event stored under this lock is at or below it (invariant 4). */
  readonly cutoffSequence: number;
}

/** Stores what a step bills: its spans with their cutoff, and the fees of them. Idempotent by (subscription, instant, reason). */
export async function billSubscription(step: BillingStep): Promise<BillingGroup> {
  const { em, subscription, plan, context, covers, billingAt } = step;
  const before = await lastStep(step);
  const { pausedAt = null } = step;
  const situation = stepSituation({
    kind: covers,
    subscription,
    plan,
    zone: context.zone,
    billingAt,
    before,
    pausedAt,
  });
  const spans = storedSpans(situation);
  const group = step.group ?? groupOf(step);
  const period = em.create(BillingPeriodEntity, {
    id: randomUUID(),
    organizationId: subscription.organizationId,
    subscriptionId: subscription.id,
    customerId: subscription.customerId,
    externalSubscriptionId: subscription.externalId,
    planId: plan.row.id,
    currency: plan.plan.currency,
    timezone: context.zone,
    billingAt,
    billingGroup: group,
    invoicingReason: step.reason,
    fromAt: startOf(spans.fee),
    toAt: endOf(spans.fee),
    chargesFromAt: startOf(spans.charges),
    chargesToAt: endOf(spans.charges),
    fixedChargesFromAt: startOf(spans.fixedCharges),
    fixedChargesToAt: endOf(spans.fixedCharges),
    spans,
    shown: storedBoundaries(situation),
    periodDays: planPeriodDays(situation),
    trialEndsAt: subscription.trialEndsAt ?? null,
    endedByUpgrade: step.endedByUpgrade ?? false,
    partition: step.partition,
    cutoffSequence: step.cutoffSequence,
    createdAt: billingAt,
  });
  await em.flush();
  await computeFees({ em, reader: step.reader, context, plan, period, createdAt: billingAt }, { standalone: true });
  await em.flush();
  return { customerId: period.customerId, currency: period.currency, billingAt, billingGroup: group };
}

// Usage that was paid event by event has periods of its own.
function lastStep({ em, subscription }: BillingStep): Promise<BillingPeriodRow | null> {
  const steps = { subscriptionId: subscription.id, invoicingReason: { $ne: 'in_advance_charge' } };
  return em.findOne(BillingPeriodEntity, steps, { orderBy: { billingAt: 'desc' } });
}

function groupOf({ covers, reason, subscription }: BillingStep): string {
  return covers === 'period' || covers === 'end_on_boundary' ? PERIODIC_GROUP : `${reason}/${subscription.id}`;
}

function startOf(span: StoredSpan | undefined): Date | null {
  return span === undefined ? null : new Date(span.from);
}

function endOf(span: StoredSpan | undefined): Date | null {
  return span === undefined ? null : new Date(span.to);
}

export interface Composition {
  readonly invoice: InvoiceRow | null;
  /** Moments of the new invoice that its workflow has to be told of. */
  readonly moments: readonly DueMomentRow[];
  readonly awaitsSiblings: boolean;
}

/**
 * Composes the invoice of a group when no sibling is still due at its instant. The caller has moved its own due moment
 * already; with `alone` it does not wait any longer.
 */
export async function composeWhenComplete(
  em: EntityManager,
  context: BillingContext,
  group: BillingGroup,
  subscriptionId: string,
  options: { readonly alone: boolean } = { alone: false },
): Promise<Composition> {
  if (group.billingGroup === PERIODIC_GROUP && !options.alone) {
    // The lock orders siblings: the second one to come sees what the first has stored, and composes.
    await em.execute('select 1 from customers where id = ? for update', [group.customerId]);
    if (await siblingIsDue(em, group, subscriptionId)) return { invoice: null, moments: [], awaitsSiblings: true };
  }
  return composed(em, context, group);
}

/**
 * Composes what a customer's other subscriptions have stored and what nobody is waited for any more. The close that would
 * have done it did not come: its subscription has ended otherwise.
 */
export async function composeWaiting(
  em: EntityManager,
  context: BillingContext,
  { customerId, currency }: Pick<BillingGroup, 'customerId' | 'currency'>,
): Promise<DueMomentRow[]> {
  const waiting = await em.find(
    BillingPeriodEntity,
    { customerId, currency, billingGroup: PERIODIC_GROUP, invoiceId: null },
    { orderBy: { billingAt: 'asc' } },
  );
  const moments: DueMomentRow[] = [];
  for (const billingAt of new Set(waiting.map((period) => period.billingAt.getTime()))) {
    const group = { customerId, currency, billingGroup: PERIODIC_GROUP, billingAt: new Date(billingAt) };
    await em.execute('select 1 from customers where id = ? for update', [customerId]);
    if (!(await siblingIsDue(em, group, null))) moments.push(...(await composed(em, context, group)).moments);
  }
  return moments;
}

// Closes of a period share the document, and so do ends and plan changes on its bound. One that turns out to be a document
// of its own composes what waited for it.
async function siblingIsDue(em: EntityManager, group: BillingGroup, subscriptionId: string | null): Promise<boolean> {
  const siblings = await em.count(DueMomentEntity, {
    ownerKind: 'subscription',
    ...(subscriptionId === null ? {} : { ownerId: { $ne: subscriptionId } }),
    customerId: group.customerId,
    currency: group.currency,
    dueAt: group.billingAt,
    kind: { $in: ['period_end', 'plan_change', 'ending'] },
  });
  return siblings > 0;
}

async function composed(em: EntityManager, context: BillingContext, group: BillingGroup): Promise<Composition> {
  const invoice = await composeGroup(em, context, group);
  if (invoice === null) return { invoice: null, moments: [], awaitsSiblings: false };
  await regroupPaidFees(em, context, group);
  const due = nextInvoiceDue(invoice, context.customer);
  const moment = due === null ? null : await storeInvoiceDue(em, invoice, context.customer, due, { known: false });
  return { invoice, moments: moment === null ? [] : [moment], awaitsSiblings: false };
}
