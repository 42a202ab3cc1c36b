import type { PlanOverrides } from '../catalog/charge.input.js';
import type { PlanRows } from '../catalog/plan-rows.js';
import type { PlanView } from '../catalog/plan-view.js';
import type { CustomerRow } from '../customers/customer.entity.js';
import type { TaxRow } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import type { TerminationCredit } from './subscription.entity.js';

/** What `POST /subscriptions` asks for, read and checked for form; the service checks it against the catalog. */
export interface CreateSubscription {
  readonly externalCustomerId: string;
  readonly planCode: string;
  readonly externalId: string;
  readonly name: string | null;
  readonly billingTime: 'calendar' | 'anniversary';
  /** Null: now, on the clock the customer lives on. */
  readonly subscriptionAt: Date | null;
  /** Left undefined by a change of plan: the end that was agreed on stays. */
  readonly endingAt?: Date | null;
  /** Terms of its own, different from the plan's. */
  readonly planOverrides?: PlanOverrides;
}

/** Fields left undefined stay as they are; null clears. */
export interface UpdateSubscription {
  readonly name?: string | null;
  readonly endingAt?: Date | null;
  /** Moves the start of one that has not started; any other keeps it, as in Lago. */
  readonly subscriptionAt?: Date;
  readonly onTerminationCreditNote?: TerminationCredit | null;
  readonly onTerminationInvoice?: 'generate' | 'skip';
  readonly planOverrides?: PlanOverrides;
}

/** Left undefined: what the subscription says already, else `credit` (paid in advance) and `generate`. */
export interface TerminationOptions {
  readonly onTerminationCreditNote?: TerminationCredit;
  readonly onTerminationInvoice?: 'generate' | 'skip';
}

/** A change of a subscription's own terms, as a function of the plan as it has it. */
export interface TermsChange {
  readonly work: (rows: PlanRows, taxes: ReadonlyMap<string, TaxRow>, subscriptionId: string) => PlanRows;
  /** Fixed charges whose units do not wait for the next period. */
  readonly atOnce?: (rows: PlanRows, subscriptionId: string) => ReadonlySet<string>;
}

export type SubscriptionStatus = 'pending' | 'active' | 'terminated' | 'canceled';

export interface TerminateSubscription extends TerminationOptions {
  /** Which one of the external id is meant. */
  readonly status: SubscriptionStatus;
}

/**
 * The commands of a subscription's life. Each is done when it returns (stored, and its workflow told); each refuses with the
 * errors of `platform/http/errors` (`notFound('subscription')`, `validationFailed({...})`). The answer is the `lago_id` of
 * the subscription it concerned, from which the caller reads what it has become.
 */
export abstract class SubscriptionsService {
  /** An unknown customer is created. An external id that lives on another plan is a plan change. */
  abstract create(organizationId: string, input: CreateSubscription): Promise<string>;

  abstract update(
    organizationId: string,
    externalId: string,
    status: SubscriptionStatus,
    changes: UpdateSubscription,
  ): Promise<string>;

  /** Terms of its own for a living subscription. The answer is the plan as it has it now. */
  abstract changeTerms(
    organizationId: string,
    externalId: string,
    status: 'active' | 'pending',
    change: TermsChange,
  ): Promise<PlanView>;

  abstract terminate(organizationId: string, externalId: string, options: TerminateSubscription): Promise<string>;

  /** Stands still from now on, until `resumeAt` or until it is told to go on. */
  abstract pause(organizationId: string, externalId: string, resumeAt: Date | null): Promise<string>;

  /** Goes on now, or at `resumeAt`. */
  abstract resume(organizationId: string, externalId: string, resumeAt: Date | null): Promise<string>;

  abstract extendTrial(organizationId: string, externalId: string, trialEndsAt: Date): Promise<string>;

  /** Ends every living subscription of a customer, with their last invoices: active ones terminate, pending ones are canceled. */
  abstract terminateAll(organizationId: string, customerId: string): Promise<void>;

  /** A customer lives in another time zone: to be called in the transaction that stores it, the answer once it is committed. */
  abstract moved(
    em: EntityManager,
    customer: CustomerRow,
    zones: { readonly from: string; readonly to: string },
  ): Promise<() => Promise<void>>;

  /** The same of an organization, for its customers without a zone of their own. */
  abstract organizationMoved(
    em: EntityManager,
    organizationId: string,
    zones: { readonly from: string; readonly to: string },
  ): Promise<() => Promise<void>>;
}
