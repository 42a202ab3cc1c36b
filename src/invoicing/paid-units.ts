import type { RatedCharge } from '../catalog/rated-plan.js';
import { Decimal } from '../domain/money/decimal.js';
import { billedDays } from '../domain/proration/day-count.js';
import { paidUnits } from '../domain/rating/in-advance.js';
import type { EntityManager } from '../platform/database/database.js';
import type { SubscriptionRow } from '../subscriptions/subscription.entity.js';
import { nextToBill } from './advance-billing.js';
import { readBilledSlices, sliceId } from './advance-ledger.js';
import { AdvanceRating } from './advance-rating.js';
import { isPaidByPeak, type PaidUnitsOf, type UsageRange } from './charge-usage.js';

/**
 * What was paid in advance in a period, from the totals that billing keeps: however many events there were, they are not
 * looked at again. Of what is stored and waits to be billed, as much counts as will be billed next (some hundred events).
 *
 * To be read in one snapshot: an event that is billed between two looks would count twice or not at all.
 */
export async function readPaidUnits(
  em: EntityManager,
  subscription: SubscriptionRow,
  charges: readonly RatedCharge[],
  range: UsageRange,
): Promise<PaidUnitsOf> {
  const paid = charges.filter(({ charge }) => isPaidByPeak(charge));
  if (paid.length === 0) return () => null;
  const key = { organizationId: range.organizationId, externalSubscriptionId: range.externalSubscriptionId };
  const waiting = await nextToBill(em, key);
  const { ledger } = await new AdvanceRating(em, key).rate(waiting);
  const billed = await readBilledSlices(
    em,
    subscription.id,
    paid.map(({ row }) => row.id),
  );
  const share = new Decimal(billedDays(range, range.zone)).div(range.periodDays);
  return (charge, slice) => {
    const id = sliceId({ subscription, charge, slice: { key: slice } });
    const totals = ledger.billed(id) ?? billed.get(id);
    const { recurring } = charge.charge.metric;
    return totals === undefined ? null : paidUnits(totals, { from: range.from, share, recurring });
  };
}
