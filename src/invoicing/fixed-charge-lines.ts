import type { RatedFixedCharge } from '../catalog/rated-plan.js';
import { chargeFee, isNegligible } from '../domain/invoicing/fee.js';
import { instant } from '../domain/calendar/instant.js';
import { Decimal, ZERO } from '../domain/money/decimal.js';
import {
  fixedChargeUnitsAhead,
  fixedChargeUnitsInAdvance,
  fixedChargeUnitsInArrears,
  type FixedChargeUnits,
  type UnitsChange,
  unitsInForce,
} from '../domain/proration/fixed-charge.js';
import { rateFixedCharge, rateFixedChargeIncrease } from '../domain/rating/fixed-charge.js';
import type { RatedAmount } from '../domain/rating/rated-amount.js';
import { taxesOf } from './billing-context.js';
import { feeSpan, type FeeSpan } from './billing-spans.js';
import { type FeeComputation, feeLine, type FeeLine } from './fee-line.js';

/**
 * Fixed charges (lago-api.md 1.4): in arrears for the period that ends, in advance for the one that begins. In a step for
 * units that were changed at once, what was added above the units billed in the running period; a decrease shows as a line
 * of nothing.
 */
export async function fixedChargeLines(computation: FeeComputation): Promise<FeeLine[]> {
  const { plan, period } = computation;
  const { fixedCharges: past, fixedChargesAhead: ahead, unitsChange } = period.spans ?? {};
  if (plan.fixedCharges.length === 0 || (!past && !ahead && !unitsChange)) return [];
  const changes = await unitChanges(computation);
  const changesOf = ({ fixedCharge }: RatedFixedCharge): UnitsChange[] => [
    // Before its first recorded change a subscription has the plan's units, from its start on.
    { at: instant(0), units: fixedCharge.units },
    ...(changes.get(fixedCharge.id) ?? []),
  ];
  const ofKind = (payInAdvance: boolean) =>
    plan.fixedCharges.filter(({ fixedCharge }) => fixedCharge.payInAdvance === payInAdvance);
  const lines: FeeLine[] = [];
  if (past) {
    const span = feeSpan(past);
    for (const charge of ofKind(false)) lines.push(inArrears(computation, charge, changesOf(charge), span));
  }
  if (ahead) {
    const span = feeSpan(ahead);
    for (const charge of ofKind(true)) lines.push(inAdvance(computation, charge, changesOf(charge), span));
  }
  const kept = lines.filter(({ fee }) => !isNegligible(fee));
  return unitsChange
    ? [...kept, ...(await addedUnits(computation, ofKind(true), changes, feeSpan(unitsChange)))]
    : kept;
}

function inArrears(
  computation: FeeComputation,
  charge: RatedFixedCharge,
  changes: readonly UnitsChange[],
  span: FeeSpan,
): FeeLine {
  const units = fixedChargeUnitsInArrears({ changes, ...span, zone: computation.period.timezone });
  return line(computation, charge, rateFixedCharge(charge.fixedCharge, units), units, span);
}

function inAdvance(
  computation: FeeComputation,
  charge: RatedFixedCharge,
  changes: readonly UnitsChange[],
  span: FeeSpan,
): FeeLine {
  const units = fixedChargeUnitsAhead({
    units: unitsInForce(changes, span.from),
    prorated: charge.fixedCharge.prorated,
    ...span,
    zone: computation.period.timezone,
  });
  return line(computation, charge, rateFixedCharge(charge.fixedCharge, units), units, span);
}

async function addedUnits(
  computation: FeeComputation,
  charges: readonly RatedFixedCharge[],
  changes: ReadonlyMap<string, readonly UnitsChange[]>,
  span: FeeSpan,
): Promise<FeeLine[]> {
  const changed = charges.flatMap((charge) => {
    const change = changes.get(charge.fixedCharge.id)?.findLast(({ at }) => at === span.from);
    return change === undefined ? [] : [{ charge, change }];
  });
  const billed = await billedUnits(computation, span);
  return changed.map(({ charge, change }) => {
    const before = billed.get(charge.fixedCharge.id) ?? ZERO;
    const added = fixedChargeUnitsAhead({
      units: fixedChargeUnitsInAdvance(change.units, [before]),
      prorated: charge.fixedCharge.prorated,
      ...span,
      zone: computation.period.timezone,
    });
    return line(computation, charge, rateFixedChargeIncrease(charge.fixedCharge, before, added), added, span);
  });
}

function line(
  { context, plan }: FeeComputation,
  charge: RatedFixedCharge,
  rated: RatedAmount,
  { fullUnits }: FixedChargeUnits,
  { from, to }: FeeSpan,
): FeeLine {
  const { fixedCharge, addOn } = charge;
  const taxes = taxesOf(context, { charge: charge.taxCodes, plan: plan.row.taxCodes });
  const { currency } = plan.plan;
  return feeLine({
    feeType: 'fixed_charge',
    fee: chargeFee(rated, { kind: 'fixed_charge', currency, eventsCount: 0, taxes, fullUnits }),
    from,
    to,
    item: {
      type: 'fixed_charge',
      code: addOn.code,
      name: addOn.name,
      description: addOn.description,
      invoice_display_name: fixedCharge.invoiceDisplayName ?? addOn.invoiceDisplayName ?? addOn.name,
      filters: null,
      filter_invoice_display_name: null,
      lago_item_id: addOn.id,
      item_type: 'AddOn',
      grouped_by: {},
    },
    price: { kind: fixedCharge.model.kind, properties: charge.properties, prorated: fixedCharge.prorated },
    payInAdvance: fixedCharge.payInAdvance,
    fixedChargeId: fixedCharge.id,
  });
}

async function unitChanges({ em, period }: FeeComputation): Promise<Map<string, UnitsChange[]>> {
  const rows = await em.execute<{ fixed_charge_id: string; units: string; at_ms: number }[]>(
    `select fixed_charge_id, units::text, (extract(epoch from effective_at) * 1000)::float8 as at_ms
       from fixed_charge_unit_changes where subscription_id = ? order by effective_at, created_at, id`,
    [period.subscriptionId],
  );
  const changes = new Map<string, UnitsChange[]>();
  for (const row of rows) {
    const change = { at: instant(Math.round(row.at_ms)), units: new Decimal(row.units) };
    changes.set(row.fixed_charge_id, [...(changes.get(row.fixed_charge_id) ?? []), change]);
  }
  return changes;
}

// Of the running period, by steps up to this one: asked again later it finds the same.
async function billedUnits({ em, period }: FeeComputation, { to }: FeeSpan): Promise<Map<string, Decimal>> {
  const rows = await em.execute<{ fixed_charge_id: string; units: string }[]>(
    `select f.fixed_charge_id, sum(f.units)::text as units
       from fees f join billing_periods b on b.id = f.billing_period_id
      where f.subscription_id = ? and f.fee_type = 'fixed_charge' and f.pay_in_advance and f.to_at = ?
        and b.billing_at <= ? and b.id <> ?
      group by 1`,
    [period.subscriptionId, new Date(to), period.billingAt, period.id],
  );
  return new Map(rows.map((row) => [row.fixed_charge_id, new Decimal(row.units)]));
}
