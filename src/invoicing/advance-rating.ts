import { loadSubscriptionPlan, type RatedPlan } from '../catalog/rated-plan.js';
import { billingBoundaries, type BilledSpan } from '../domain/calendar/billing-boundaries.js';
import { chargeSlice } from '../domain/catalog/charge-slice.js';
import { instant, type Instant } from '../domain/calendar/instant.js';
import { Decimal } from '../domain/money/decimal.js';
import { billedDays } from '../domain/proration/day-count.js';
import type { AdvanceStep } from '../domain/rating/in-advance.js';
import { meterForStore } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { billingCalendarOf } from '../subscriptions/lifecycle.js';
import { SubscriptionEntity, type SubscriptionRow } from '../subscriptions/subscription.entity.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { AdvanceLedger, type AdvanceUse } from './advance-ledger.js';
import { type BillingContext, loadBillingContext } from './billing-context.js';

export interface SubscriptionKey {
  readonly organizationId: string;
  readonly externalSubscriptionId: string;
}

/** An event as it is stored. */
export interface AdvanceEventRow {
  readonly id: string;
  readonly transactionId: string;
  readonly code: string;
  readonly at: Instant;
  readonly sequence: number;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly preciseTotalAmountCents: Decimal;
}

/** A fee to be: one charge's price of one event. */
export interface AdvanceLine {
  readonly use: AdvanceUse;
  readonly event: AdvanceEventRow;
  readonly span: BilledSpan;
  readonly plan: RatedPlan;
  readonly context: BillingContext;
  readonly now: Date;
  readonly step: AdvanceStep;
}

export interface RatedEvents {
  readonly lines: readonly AdvanceLine[];
  readonly ledger: AdvanceLedger;
}

interface Life {
  readonly subscription: SubscriptionRow;
  readonly plan: RatedPlan;
  readonly context: BillingContext;
  readonly now: Date;
}

/** From events to priced lines. What the events have in common is read once for all of them. */
export class AdvanceRating {
  private readonly lives = new Map<string, Promise<Life>>();
  private readonly spans = new Map<string, BilledSpan>();

  constructor(
    private readonly em: EntityManager,
    private readonly key: SubscriptionKey,
  ) {}

  /** `events` in order of ingest sequence. */
  async rate(events: readonly AdvanceEventRow[]): Promise<RatedEvents> {
    const uses: { use: AdvanceUse; event: AdvanceEventRow; span: BilledSpan; life: Life }[] = [];
    const subscriptions = events.length === 0 ? [] : await this.subscriptions();
    for (const event of events) {
      const subscription = livingAt(subscriptions, event.at);
      if (subscription === null) continue;
      const life = await this.lifeOf(subscription);
      for (const charge of life.plan.charges) {
        const { metric, payInAdvance, prorated } = charge.charge;
        if (!payInAdvance || metric.code !== event.code) continue;
        const metered = meterForStore(metric, {
          ...{ timestamp: event.at, properties: event.properties, sequence: event.sequence },
          preciseTotalAmountCents: event.preciseTotalAmountCents,
        });
        if (!metered.counted) continue;
        const span = this.spanAt(life, event.at);
        const use: AdvanceUse = {
          ...{ subscription, charge, event: metered },
          slice: chargeSlice(charge.charge, metered.dimensions),
          periodFrom: span.from,
          periodTo: span.to,
          share: prorated ? shareFrom(event.at, span, life.context.zone) : null,
        };
        uses.push({ use, event, span, life });
      }
    }
    const ledger = await AdvanceLedger.open(
      this.em,
      uses.map(({ use }) => use),
    );
    const lines = uses.map(({ use, event, span, life }) => ({ ...life, use, event, span, step: ledger.step(use) }));
    return { lines, ledger };
  }

  private subscriptions(): Promise<SubscriptionRow[]> {
    return this.em.find(
      SubscriptionEntity,
      {
        organizationId: this.key.organizationId,
        externalId: this.key.externalSubscriptionId,
        startedAt: { $ne: null },
        status: { $in: ['active', 'terminated'] },
      },
      { orderBy: { startedAt: 'desc', ordinal: 'desc' } },
    );
  }

  private lifeOf(subscription: SubscriptionRow): Promise<Life> {
    let life = this.lives.get(subscription.id);
    if (life === undefined) {
      life = this.loadLife(subscription);
      this.lives.set(subscription.id, life);
    }
    return life;
  }

  private async loadLife(subscription: SubscriptionRow): Promise<Life> {
    const plan = await loadSubscriptionPlan(this.em, subscription);
    const context = await loadBillingContext(this.em, subscription.organizationId, subscription.customerId);
    return { subscription, plan, context, now: await presentOn(this.em, context.customer.testClockId) };
  }

  // Events come mostly from one period after the other: finding its bounds takes longer than all else.
  private spanAt(life: Life, at: Instant): BilledSpan {
    const { id, resumedAt } = life.subscription;
    let span = this.spans.get(id);
    const cut = resumedAt?.getTime() ?? -Infinity;
    if (span === undefined || at < span.from || at >= span.to || at >= cut !== span.from >= cut) {
      span = usageSpanAt(life.subscription, life.plan, life.context.zone, at);
      this.spans.set(id, span);
    }
    return span;
  }
}

/** The period in which usage at an instant is billed; it starts with the subscription, and anew after a pause. */
export function usageSpanAt(subscription: SubscriptionRow, plan: RatedPlan, zone: string, at: Instant): BilledSpan {
  return billingBoundaries({
    ...billingCalendarOf(subscription, plan.row, zone),
    payInAdvance: plan.plan.payInAdvance,
    startedAt: instant(begunBy(subscription, at)?.getTime() ?? at),
    billingAt: at,
    currentUsage: true,
    billChargesMonthly: plan.plan.billChargesMonthly,
  }).charges as BilledSpan;
}

// What was used before a pause lies in the period before it, however late it comes.
function begunBy(subscription: SubscriptionRow, at: Instant): Date | null {
  const { startedAt = null, resumedAt } = subscription;
  return resumedAt != null && at >= resumedAt.getTime() ? resumedAt : startedAt;
}

/** Newest first: at the instant of a plan change the new subscription has the event. */
function livingAt(subscriptions: readonly SubscriptionRow[], at: Instant): SubscriptionRow | null {
  const lives = (row: SubscriptionRow) =>
    row.startedAt!.getTime() <= at && (row.terminatedAt == null || at <= row.terminatedAt.getTime());
  return subscriptions.find(lives) ?? null;
}

function shareFrom(at: Instant, span: BilledSpan, zone: string): Decimal {
  return new Decimal(billedDays({ from: at, to: span.to }, zone)).div(span.periodDays);
}
