import type { DueKind } from '../src/domain/subscriptions/due-moments.js';

/** What a billing clock is: the wall, or a test clock whose time arrives by signal. */
export type ClockState = { kind: 'wall'; spreadMs: number } | { kind: 'test'; id: string; nowMs: number };

export interface DueMomentState {
  kind: DueKind;
  /** Nominal instant, ISO 8601. Money derives from it, whatever the clock says when the work happens. */
  at: string;
}

/** Carried from run to run by continue-as-new. A change of its shape needs a new `v` and an upcaster. */
export interface SubscriptionState {
  v: 1;
  organizationId: string;
  subscriptionId: string;
  externalId: string;
  clock: ClockState;
  due: DueMomentState | null;
  /** Set while fees of this subscription wait for siblings of the same customer and instant. */
  awaitingSiblings: { billingAt: string; until: string } | null;
  face: SubscriptionFace;
}

/** What a person sees of the subscription; facts for display, never read by a decision. */
export interface SubscriptionFace {
  customerId: string;
  customerName: string;
  planCode: string;
  state: 'pending' | 'trial' | 'active' | 'paused' | 'terminated' | 'canceled';
  currency: string;
  timezone: string;
  period: { from: string; to: string } | null;
  trialEndsAt: string | null;
  /** Absent in states that were written before subscriptions could pause. */
  pausedAt?: string | null;
  lastInvoice: InvoiceLine | null;
  note: string;
}

export interface InvoiceLine {
  invoiceId: string;
  number: string;
  status: string;
  total: string;
  lines: number;
}

export interface StepInput {
  organizationId: string;
  subscriptionId: string;
  externalId: string;
  due: DueMomentState;
}

/** What a step did; the workflow decides on these recorded results and never on money of its own. */
export interface StepResult {
  /** False when the record says that this moment has been moved or done already. */
  performed: boolean;
  due: DueMomentState | null;
  face: SubscriptionFace;
  /** Fees were stored, but a sibling is still due at that instant; until when, on the wall, they wait for it. */
  awaitingSiblings: { billingAt: string; until: string } | null;
}

/** What billing usage in advance came to; facts for display. */
export interface AdvanceResult {
  fees: number;
  face: SubscriptionFace;
}

/** What support can ask of a subscription, beside the API; instants are ISO 8601. */
export type SubscriptionCommand =
  | { kind: 'pause'; resumeAt?: string | undefined }
  | { kind: 'resume'; resumeAt?: string | undefined }
  | { kind: 'extendTrial'; trialEndsAt: string }
  | ({ kind: 'terminate' } & TerminateRequest);

export interface PauseRequest {
  resumeAt?: string;
}

export interface TrialRequest {
  trialEndsAt: string;
}

export interface TerminateRequest {
  onTerminationCreditNote?: 'credit' | 'skip' | 'refund' | 'offset';
  onTerminationInvoice?: 'generate' | 'skip';
}

export interface CommandInput {
  organizationId: string;
  subscriptionId: string;
  externalId: string;
  command: SubscriptionCommand;
}

/** What a command led to, or why it was refused. */
export interface CommandResult {
  refused: string | null;
  due: DueMomentState | null;
  face: SubscriptionFace;
}

/** The answer to a person. */
export interface CommandAnswer {
  state: SubscriptionFace['state'];
  next: string;
}

export interface SubscriptionActivities {
  activateSubscription(input: StepInput): Promise<StepResult>;
  billStart(input: StepInput): Promise<StepResult>;
  endTrial(input: StepInput): Promise<StepResult>;
  closePeriod(input: StepInput): Promise<StepResult>;
  billUnitsChange(input: StepInput): Promise<StepResult>;
  pauseSubscription(input: StepInput): Promise<StepResult>;
  resumeSubscription(input: StepInput): Promise<StepResult>;
  changePlan(input: StepInput): Promise<StepResult>;
  endSubscription(input: StepInput): Promise<StepResult>;
  billUsageInAdvance(input: {
    organizationId: string;
    subscriptionId: string;
    externalId: string;
  }): Promise<AdvanceResult>;
  invoiceWithoutSiblings(input: { organizationId: string; subscriptionId: string; billingAt: string }): Promise<void>;
  commandSubscription(input: CommandInput): Promise<CommandResult>;
  recalculateInvoice(input: { organizationId: string; invoiceId: string }): Promise<RecalculationResult>;
}

export interface RecalculateRequest {
  /** The invoice to recalculate; without it the last one of this subscription. */
  invoiceId?: string;
}

export interface RecalculationResult {
  invoiceId: string;
  number: string;
  status: string;
  /** 'refreshed': a draft took in all usage; 'compared': an issued document stays, the difference is only shown. */
  action: 'refreshed' | 'compared';
  before: string;
  after: string;
  difference: string;
  lines: number;
}

export const subscriptionWorkflow = 'subscription';
export const signals = {
  clockAdvanced: 'clockAdvanced',
  dueMomentChanged: 'dueMomentChanged',
  usageInAdvance: 'usageInAdvance',
} as const;

export function subscriptionWorkflowId(organizationId: string, externalId: string, ordinal: number): string {
  return `subscription/${organizationId}/${externalId}/${ordinal}`;
}
