import { z } from 'zod';
import { planAnswer, planJson } from '../catalog/index.js';
import { customerAnswer, customerJson } from '../customers/index.js';
import { type BilledSpan, billingBoundaries } from '../domain/calendar/billing-boundaries.js';
import type { BillingInterval } from '../domain/calendar/billing-calendar.js';
import { instant } from '../domain/calendar/instant.js';
import { toIsoDate } from '../domain/calendar/local-date.js';
import { localDate } from '../domain/calendar/time-zone.js';
import { isoMilliseconds, isoSeconds, lastMoment } from '../platform/http/format.js';
import { isPaused } from './lifecycle.js';
import type { SubscriptionView } from './subscription-view.js';

const time = z.iso.datetime();

const fields = {
  lago_id: z.uuid(),
  external_id: z.string(),
  lago_customer_id: z.uuid(),
  external_customer_id: z.string(),
  billing_entity_code: z.string(),
  name: z.string().nullable(),
  plan_code: z.string(),
  plan_amount_cents: z.int(),
  plan_amount_currency: z.string(),
  status: z.enum(['pending', 'active', 'terminated', 'canceled', 'incomplete']),
  billing_time: z.enum(['calendar', 'anniversary']),
  subscription_at: time,
  started_at: time.nullable(),
  trial_ended_at: time.nullable(),
  ending_at: time.nullable(),
  terminated_at: time.nullable(),
  canceled_at: time.nullable(),
  created_at: time,
  previous_plan_code: z.string().nullable(),
  next_plan_code: z.string().nullable(),
  downgrade_plan_date: z.iso.date().nullable(),
  current_billing_period_started_at: time.nullable(),
  current_billing_period_ending_at: time.nullable(),
  on_termination_credit_note: z.string().nullable(),
  on_termination_invoice: z.string(),
  progressive_billing_disabled: z.boolean(),
  consolidate_invoice: z.boolean(),
  purchase_order_number: z.string().nullable(),
  cancellation_reason: z.string().nullable(),
  activated_at: time.nullable(),
  /** Additive to Lago, whose statuses know no pause: since when it stands still, and until when. */
  paused_at: time.nullable(),
  resume_at: time.nullable(),
  /** Additive: the end of the trial, also before it has come. */
  trial_ends_at: time.nullable(),
  payment_method: z.object({ payment_method_id: z.string().nullable(), payment_method_type: z.string().nullable() }),
  activation_rules: z.array(z.unknown()),
  entitlements: z.array(z.unknown()),
  applicable_usage_thresholds: z.array(z.unknown()),
  applied_invoice_custom_sections: z.array(z.unknown()),
};

export const subscriptionAnswer = z
  .object({ ...fields, plan: planAnswer, customer: customerAnswer.optional() })
  .meta({ id: 'Subscription' });

/** Inside an invoice, which shows its customer itself. */
export const invoicedSubscriptionAnswer = z
  .object({ ...fields, plan: planAnswer })
  .meta({ id: 'InvoicedSubscription' });

export function subscriptionJson(view: SubscriptionView): z.infer<typeof subscriptionAnswer> {
  return { ...plainSubscriptionJson(view), customer: customerJson(view.customer) };
}

export function plainSubscriptionJson(view: SubscriptionView): z.infer<typeof invoicedSubscriptionAnswer> {
  const { subscription, plan, customer } = view;
  const current = currentPeriod(view);
  const paused = isPaused(subscription, view.now);
  return {
    lago_id: subscription.id,
    external_id: subscription.externalId,
    lago_customer_id: subscription.customerId,
    external_customer_id: customer.customer.externalId,
    billing_entity_code: 'default',
    name: subscription.name ?? null,
    plan_code: plan.plan.code,
    plan_amount_cents: plan.plan.amountCents,
    plan_amount_currency: plan.plan.amountCurrency,
    status: subscription.status,
    billing_time: subscription.billingTime,
    subscription_at: isoSeconds(subscription.subscriptionAt),
    started_at: isoMilliseconds(subscription.startedAt),
    trial_ended_at: isoSeconds(subscription.trialEndedAt),
    ending_at: isoSeconds(subscription.endingAt),
    terminated_at: isoSeconds(subscription.terminatedAt),
    canceled_at: isoSeconds(subscription.canceledAt),
    created_at: isoSeconds(subscription.createdAt),
    previous_plan_code: view.previous?.planCode ?? null,
    next_plan_code: view.next?.planCode ?? null,
    downgrade_plan_date: downgradeDate(view),
    current_billing_period_started_at: current ? isoSeconds(new Date(current.from)) : null,
    current_billing_period_ending_at: current ? isoSeconds(lastMoment(new Date(current.to))) : null,
    on_termination_credit_note: subscription.onTerminationCreditNote ?? null,
    on_termination_invoice: subscription.onTerminationInvoice,
    progressive_billing_disabled: false,
    consolidate_invoice: true,
    purchase_order_number: null,
    cancellation_reason: null,
    activated_at: isoSeconds(subscription.startedAt),
    paused_at: paused ? isoSeconds(subscription.pausedAt) : null,
    resume_at: paused ? isoSeconds(subscription.resumeAt) : null,
    trial_ends_at: isoSeconds(subscription.trialEndsAt),
    payment_method: { payment_method_id: null, payment_method_type: 'provider' },
    activation_rules: [],
    entitlements: [],
    applicable_usage_thresholds: [],
    applied_invoice_custom_sections: [],
    plan: planJson(plan),
  };
}

/** The local day on which a plan that waits takes over. */
function downgradeDate({ subscription, next, customer }: SubscriptionView): string | null {
  if (next?.status !== 'pending' || subscription.nextPlanAt == null) return null;
  return toIsoDate(localDate(instant(subscription.nextPlanAt.getTime()), zoneOf(customer)));
}

function zoneOf({ customer, organization }: SubscriptionView['customer']): string {
  return customer.timezone ?? organization.timezone;
}

/** The part of time whose usage is being gathered now; at the end of a life, the last one. */
function currentPeriod({ subscription, plan, customer, now }: SubscriptionView): BilledSpan | null {
  if (subscription.startedAt == null) return null;
  const terminatedAt = subscription.terminatedAt == null ? null : instant(subscription.terminatedAt.getTime());
  const startedAt = instant(subscription.startedAt.getTime());
  const present = Math.max(startedAt, Math.min(now.getTime(), terminatedAt ?? now.getTime()));
  return billingBoundaries({
    interval: plan.plan.interval as BillingInterval,
    billingTime: subscription.billingTime,
    payInAdvance: plan.plan.payInAdvance,
    zone: zoneOf(customer),
    subscriptionAt: instant(subscription.subscriptionAt.getTime()),
    startedAt,
    terminatedAt,
    billingAt: instant(present),
    currentUsage: true,
    billChargesMonthly: plan.plan.billChargesMonthly ?? false,
  }).charges;
}
