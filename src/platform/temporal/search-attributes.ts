/**
 * What a person can filter and sort workflows by. Plain data: workflow code, clients and the set-up of a namespace all
 * import it, so it must not import anything itself.
 *
 * A Temporal server on an SQL store has 10 Keyword, 3 Datetime, 3 Int and 3 Bool columns per namespace, and a name once
 * registered keeps its column: add sparingly.
 */
export const searchAttributes = {
  BillingState: 'KEYWORD',
  CustomerId: 'KEYWORD',
  SubscriptionId: 'KEYWORD',
  PlanCode: 'KEYWORD',
  PeriodKey: 'KEYWORD',
  Currency: 'KEYWORD',
  TestClockId: 'KEYWORD',
  AttentionReason: 'KEYWORD',
  OrganizationId: 'KEYWORD',
  NextActionAt: 'DATETIME',
  PeriodEnd: 'DATETIME',
  CollectionAttempt: 'INT',
  OutstandingMinor: 'INT',
  NeedsAttention: 'BOOL',
} as const;

export type SearchAttributeName = keyof typeof searchAttributes;
