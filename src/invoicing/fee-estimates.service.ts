import { BillableMetricEntity } from '../catalog/billable-metric.entity.js';
import { CustomerEntity } from '../customers/customer.entity.js';
import type { ChargeModel } from '../domain/catalog/charge.js';
import { instant } from '../domain/calendar/instant.js';
import { atLeastZero, Decimal, ratioOrZero, ZERO } from '../domain/money/decimal.js';
import { ratePercentageTransaction } from '../domain/rating/percentage.js';
import type { RatedAmount } from '../domain/rating/rated-amount.js';
import { computedProperties, type EventExpressions } from '../ingestion/event-expressions.js';
import type { EventInput } from '../ingestion/event-input.js';
import type { Database, EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { SubscriptionEntity } from '../subscriptions/subscription.entity.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { nextToBill } from './advance-billing.js';
import { type AdvanceEventRow, type AdvanceLine, AdvanceRating } from './advance-rating.js';
import { eventFeeRow } from './event-fee.js';
import type { FeeView } from './fee.mapping.js';
import { feeViews } from './fee-view.js';

/**
 * What events would cost, by the same road as events that are billed; nothing is stored. An instant estimate looks at the
 * event alone, whatever was used before, and knows only prices that can do that: standard and percentage (lago-api.md 1.1).
 */
export class FeeEstimates {
  constructor(
    private readonly database: Database,
    private readonly expressions: Pick<EventExpressions, 'of'>,
  ) {}

  /**
   * One fee for each charge paid in advance that bills the event.
   * @throws 404 for an unknown subscription (none lives at the event's time) or metric, 422 when no such charge bills it.
   */
  async estimate(organizationId: string, input: EventInput): Promise<FeeView[]> {
    const expressions = await this.expressions.of(organizationId);
    return this.database.snapshot(organizationId, async (em) => {
      const event = await eventOf(em, organizationId, input, expressions);
      const key = { organizationId, externalSubscriptionId: input.externalSubscriptionId };
      // What is stored and not billed yet comes before it.
      const waiting = await nextToBill(em, key);
      const { lines } = await new AdvanceRating(em, key).rate([...waiting, event]);
      const own = lines.filter((line) => line.event === event);
      await assertBilled(em, organizationId, key.externalSubscriptionId, event, own);
      return views(em, own);
    });
  }

  /** The same for several events, each for itself and without any usage before it. All or nothing. */
  async estimateInstant(organizationId: string, inputs: readonly EventInput[]): Promise<FeeView[]> {
    const expressions = await this.expressions.of(organizationId);
    return this.database.tenant(organizationId, async (em) => {
      const estimated: FeeView[] = [];
      for (const input of inputs) {
        const event = await eventOf(em, organizationId, input, expressions);
        const rating = new AdvanceRating(em, { organizationId, externalSubscriptionId: input.externalSubscriptionId });
        const lines = (await rating.rate([event])).lines.flatMap((line) => {
          const rated = instantPrice(line);
          return rated === null ? [] : [{ ...line, step: { ...line.step, rated, gained: rated.units } }];
        });
        await assertBilled(em, organizationId, input.externalSubscriptionId, event, lines);
        estimated.push(...(await views(em, lines)));
      }
      return estimated;
    });
  }
}

/** Null for a price that needs to know what was used before. */
function instantPrice({ use }: AdvanceLine): RatedAmount | null {
  const model: ChargeModel = use.slice.filter?.model ?? use.charge.charge.model;
  const units = atLeastZero(use.event.value ?? new Decimal(1));
  const rated = (amount: Decimal): RatedAmount => ({
    ...{ kind: 'rated-amount', amount, units, unitAmount: ratioOrZero(amount, units), amountDetails: {} },
  });
  if (model.kind === 'standard') return rated(units.times(model.amount));
  return model.kind === 'percentage' ? rated(ratePercentageTransaction(model, units)) : null;
}

async function eventOf(
  em: EntityManager,
  organizationId: string,
  input: EventInput,
  expressions: Awaited<ReturnType<EventExpressions['of']>>,
): Promise<AdvanceEventRow> {
  const at = input.timestamp ?? (await presentOf(em, organizationId, input.externalSubscriptionId));
  const computed = computedProperties(input, at, expressions);
  if ('errors' in computed) throw validationFailed(computed.errors);
  return {
    id: '',
    transactionId: input.transactionId,
    code: input.code,
    at: instant(at),
    // Behind everything that came.
    sequence: Number.MAX_SAFE_INTEGER,
    properties: JSON.parse(computed.properties) as Record<string, unknown>,
    preciseTotalAmountCents: input.preciseTotalAmountCents === null ? ZERO : new Decimal(input.preciseTotalAmountCents),
  };
}

async function presentOf(em: EntityManager, organizationId: string, externalId: string): Promise<number> {
  const subscription = await em.findOne(
    SubscriptionEntity,
    { organizationId, externalId },
    { orderBy: { ordinal: 'desc' } },
  );
  if (subscription === null) throw notFound('subscription');
  const customer = await em.findOneOrFail(CustomerEntity, { id: subscription.customerId });
  return (await presentOn(em, customer.testClockId)).getTime();
}

// Why there is no fee is worth three questions only then.
async function assertBilled(
  em: EntityManager,
  organizationId: string,
  externalId: string,
  event: AdvanceEventRow,
  lines: readonly AdvanceLine[],
): Promise<void> {
  if (lines.length > 0) return;
  const at = new Date(event.at);
  const living = await em.count(SubscriptionEntity, {
    ...{ organizationId, externalId, startedAt: { $lte: at } },
    $or: [{ terminatedAt: null }, { terminatedAt: { $gte: at } }],
  });
  if (living === 0) throw notFound('subscription');
  const metric = await em.count(BillableMetricEntity, { organizationId, code: event.code, deletedAt: null });
  if (metric === 0) throw notFound('billable_metric');
  throw validationFailed({ code: ['does_not_match_an_instant_charge'] });
}

// Rows of a fork that is never flushed: nothing of an estimate can reach the record.
async function views(em: EntityManager, lines: readonly AdvanceLine[]): Promise<FeeView[]> {
  const scratch = em.fork({ keepTransactionContext: true, flushMode: 'commit' }) as EntityManager;
  const fees = lines.map((line) => eventFeeRow(scratch, line));
  const seen = await feeViews(em, fees);
  scratch.clear();
  return seen;
}
