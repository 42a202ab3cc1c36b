import { randomUUID } from 'node:crypto';
import type { SubscriptionTerms } from '../catalog/subscription-terms.js';
import { loadSubscriptionPlan } from '../catalog/rated-plan.js';
import { CustomerEntity, type CustomerRow } from '../customers/customer.entity.js';
import { newCustomer } from '../customers/new-customer.js';
import { instant } from '../domain/calendar/instant.js';
import { issuingDate, paymentDueDate } from '../domain/invoicing/dates.js';
import { invariant } from '../domain/invariant.js';
import type { DueKind, DueMoment } from '../domain/subscriptions/due-moments.js';
import { Waker } from '../due-moments/due-moments.js';
import type { UsageReader } from '../metering/index.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { methodNotAllowed, notFound, validationFailed } from '../platform/http/errors.js';
import { partitionOf } from '../platform/nats/usage-streams.js';
import { nextDueOf } from '../subscriptions/lifecycle.js';
import { SubscriptionCommands } from '../subscriptions/subscription-commands.js';
import { SubscriptionEntity, type SubscriptionRow } from '../subscriptions/subscription.entity.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { billNextInAdvance } from './advance-billing.js';
import { type BillingContext, loadBillingContext } from './billing-context.js';
import { type BillingGroup, composeGroup } from './invoice-composition.js';
import { wholeInvoiceView, type WholeInvoiceView } from './invoice-view.js';
import type { InvoiceRow } from './invoice.entity.js';
import { performStep } from './subscription-steps.js';

/** Whose invoice is asked for, and what is to be imagined before it. */
export interface PreviewRequest {
  readonly customer: {
    /** Of a customer that is stored; without one, somebody new. */
    readonly externalId?: string;
    readonly name?: string;
    readonly currency?: string;
    readonly timezone?: string;
    readonly taxCodes?: readonly string[];
  };
  readonly subject:
    | {
        readonly kind: 'new_subscription';
        readonly planCode: string;
        readonly billingTime: 'calendar' | 'anniversary';
        readonly subscriptionAt: Date | null;
      }
    | {
        readonly kind: 'subscriptions';
        readonly externalIds: readonly string[];
        /** Another plan from now on. */
        readonly planCode: string | null;
        readonly terminatedAt: Date | null;
      };
}

/** The invoice as it would be, and what of it is not there: rows that were only imagined. */
export interface InvoicePreview {
  readonly view: WholeInvoiceView;
  readonly imagined: { readonly customer: boolean; readonly subscriptionIds: ReadonlySet<string> };
}

/** Steps that are looked through for the invoice that was asked for; nobody asks for one years away. */
const MOST_STEPS = 60;

/**
 * The next invoice before it is made. The commands that lead to it, the steps that bill it and its composition are the real
 * ones, in a transaction that is never committed: what is shown is what would have been stored, with the usage known now.
 */
export class InvoicePreviews {
  constructor(
    private readonly database: Database,
    private readonly reader: UsageReader,
    private readonly terms: SubscriptionTerms,
    private readonly config: { readonly usagePartitions: number },
  ) {}

  /**
   * Refuses with `notFound('customer' | 'plan' | 'subscription')`, `validationFailed` for what cannot be imagined, and
   * `methodNotAllowed('no_active_subscription')` when nothing is to be billed any more.
   */
  async preview(organizationId: string, request: PreviewRequest): Promise<InvoicePreview> {
    let preview: InvoicePreview | null = null;
    try {
      await this.database.tenant(organizationId, async (em) => {
        preview = await this.imagine(em, organizationId, request);
        throw new Imagined();
      });
    } catch (error) {
      if (!(error instanceof Imagined)) throw error;
    }
    invariant(preview !== null, 'A preview was made before it was taken back');
    return preview;
  }

  private async imagine(em: EntityManager, organizationId: string, request: PreviewRequest): Promise<InvoicePreview> {
    const stored = await storedCustomer(em, organizationId, request);
    const customer = stored ?? (await imaginedCustomer(em, organizationId, request));
    const now = await presentOn(em, customer.testClockId);
    const before = new Set((await em.find(SubscriptionEntity, { customerId: customer.id })).map(({ id }) => id));
    const commands = new SubscriptionCommands({ tenant: (_, work) => work(em) }, new NobodyIsWoken(), this.terms);
    const subjects = await this.subjectsOf(em, commands, organizationId, customer, request, now);
    const context = await loadBillingContext(em, organizationId, customer.id);
    const { invoice, billingAt } = await this.nextInvoice(em, context, subjects, wantedStep(request));
    showAsDraft(context, invoice, billingAt);
    await em.flush();
    const view = await wholeInvoiceView(em, invoice);
    return {
      view: {
        ...view,
        now,
        // Shown as they will be when this is billed: in the period that begins then.
        subscriptions: view.subscriptions.map((subscription) => ({ ...subscription, now: billingAt })),
      },
      imagined: {
        customer: stored === null,
        subscriptionIds: new Set(view.subscriptions.map((one) => one.subscription.id).filter((id) => !before.has(id))),
      },
    };
  }

  private async subjectsOf(
    em: EntityManager,
    commands: SubscriptionCommands,
    organizationId: string,
    customer: CustomerRow,
    { subject }: PreviewRequest,
    now: Date,
  ): Promise<SubscriptionRow[]> {
    if (subject.kind === 'new_subscription') {
      const id = await commands.create(organizationId, {
        externalCustomerId: customer.externalId,
        planCode: subject.planCode,
        externalId: randomUUID(),
        name: null,
        billingTime: subject.billingTime,
        subscriptionAt: subject.subscriptionAt,
      });
      return [await em.findOneOrFail(SubscriptionEntity, { id })];
    }
    const subscriptions = await em.find(
      SubscriptionEntity,
      { customerId: customer.id, externalId: { $in: [...subject.externalIds] }, status: 'active' },
      { orderBy: { createdAt: 'asc', externalId: 'asc' } },
    );
    if (subscriptions.length !== new Set(subject.externalIds).size) throw notFound('subscription');
    for (const subscription of subscriptions) {
      if (subject.planCode !== null) {
        await commands.create(organizationId, {
          externalCustomerId: customer.externalId,
          planCode: subject.planCode,
          externalId: subscription.externalId,
          name: null,
          billingTime: subscription.billingTime,
          subscriptionAt: null,
        });
      }
      if (subject.terminatedAt !== null) {
        if (subject.terminatedAt < now) throw validationFailed({ terminated_at: ['invalid_date'] });
        subscription.status = 'terminated';
        subscription.terminatedAt = subject.terminatedAt;
      }
    }
    await em.flush();
    return subscriptions;
  }

  /** Goes on with the subscriptions until the invoice that was asked for; what is billed on the way is invoiced on the way. */
  private async nextInvoice(
    em: EntityManager,
    context: BillingContext,
    subjects: readonly SubscriptionRow[],
    wanted: DueKind | null,
  ): Promise<{ invoice: InvoiceRow; billingAt: Date }> {
    // Without grace: credits are used when an invoice is issued, and a preview shows what will be left to pay.
    const atOnce = { ...context, graceDays: 0 };
    for (let steps = 0; steps < MOST_STEPS;) {
      const moments = await this.nextMoments(em, context, subjects);
      if (moments.length === 0) throw methodNotAllowed('no_active_subscription');
      const groups: BillingGroup[] = [];
      for (const { subscription, due } of moments) {
        steps += 1;
        const group = await this.perform(em, atOnce, subscription, due);
        if (group !== null) groups.push(group);
      }
      const invoices: InvoiceRow[] = [];
      for (const group of groups) {
        const invoice = await composeGroup(em, atOnce, group);
        if (invoice !== null) invoices.push(invoice);
      }
      const [invoice] = invoices;
      const here = wanted === null || moments.some(({ due }) => due.kind === wanted);
      if (invoice !== undefined && here) return { invoice, billingAt: invoice.billingAt };
    }
    throw validationFailed({ terminated_at: ['value_is_out_of_range'] });
  }

  private async nextMoments(em: EntityManager, context: BillingContext, subjects: readonly SubscriptionRow[]) {
    const moments: { subscription: SubscriptionRow; due: DueMoment }[] = [];
    for (const subscription of subjects) {
      const due = nextDueOf(subscription, await loadSubscriptionPlan(em, subscription), context.zone);
      if (due !== null) moments.push({ subscription, due });
    }
    const first = Math.min(...moments.map(({ due }) => due.at));
    return moments.filter(({ due }) => due.at === first);
  }

  private async perform(em: EntityManager, context: BillingContext, subscription: SubscriptionRow, due: DueMoment) {
    const { kind } = due;
    // What comes after a pause is not known before it ends.
    if (kind === 'pause' || kind === 'resume') throw methodNotAllowed('no_active_subscription');
    const at = new Date(due.at);
    const { organizationId, externalId: externalSubscriptionId } = subscription;
    // Of a backlog as much as is billed at once: nobody waits minutes for a preview.
    await billNextInAdvance(em, { organizationId, externalSubscriptionId });
    const plan = await loadSubscriptionPlan(em, subscription);
    const partition = partitionOf(subscription.organizationId, subscription.externalId, this.config.usagePartitions);
    const billed = await performStep(kind, { em, reader: this.reader, at, subscription, plan, context, partition });
    subscription.doneKind = due.kind;
    subscription.doneAt = at;
    await em.flush();
    return billed?.group ?? null;
  }
}

/** Ends the transaction in which something was only imagined. */
class Imagined extends Error {}

class NobodyIsWoken extends Waker {
  wake = () => Promise.resolve();
}

function wantedStep({ subject }: PreviewRequest): DueKind | null {
  if (subject.kind === 'new_subscription') return null;
  if (subject.terminatedAt !== null) return 'ending';
  return subject.planCode === null ? null : 'plan_change';
}

async function storedCustomer(
  em: EntityManager,
  organizationId: string,
  { customer: { externalId }, subject }: PreviewRequest,
): Promise<CustomerRow | null> {
  if (externalId === undefined) {
    if (subject.kind === 'subscriptions') throw notFound('customer');
    return null;
  }
  const customer = await em.findOne(CustomerEntity, { organizationId, externalId, deletedAt: null });
  if (customer === null) throw notFound('customer');
  return customer;
}

async function imaginedCustomer(
  em: EntityManager,
  organizationId: string,
  { customer }: PreviewRequest,
): Promise<CustomerRow> {
  const row = await newCustomer(em, organizationId, randomUUID());
  row.name = customer.name ?? null;
  row.currency = customer.currency ?? null;
  row.timezone = customer.timezone ?? null;
  row.taxCodes = [...(customer.taxCodes ?? [])];
  await em.flush();
  return row;
}

// As the customer will first see it: not issued, dated as if its grace had passed.
function showAsDraft(context: BillingContext, invoice: InvoiceRow, billingAt: Date): void {
  const at = instant(billingAt.getTime());
  invoice.status = 'draft';
  invoice.paymentStatus = 'pending';
  invoice.number = `${context.organization.documentNumberPrefix}-DRAFT`;
  invoice.sequentialId = null;
  invoice.issuingDate = issuingDate({ billingAt: at, zone: context.zone, graceDays: context.graceDays });
  invoice.paymentDueDate = paymentDueDate(invoice.issuingDate, invoice.netPaymentTerm);
}
