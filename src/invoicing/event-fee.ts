import { randomUUID } from 'node:crypto';
import { chargeFee, type Fee } from '../domain/invoicing/fee.js';
import { feeTaxes, preciseTaxes } from '../domain/invoicing/taxes.js';
import { presentedPart } from '../domain/catalog/presentation.js';
import type { EntityManager } from '../platform/database/database.js';
import type { AdvanceLine } from './advance-rating.js';
import { taxesOf } from './billing-context.js';
import { chargeItem, chargePrice } from './charge-item.js';
import { appliedTax } from './fee-line.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { toStoredParts } from './presentation.mapping.js';
import type { UsagePart } from './usage-breakdown.js';

/** The fee of one event paid in advance; it stands alone until an invoice takes it. Zero is a fee too: the event was billed. */
export function eventFeeRow(em: EntityManager, line: AdvanceLine): FeeRow {
  const { use, event, span, plan, context, now, step } = line;
  const { subscription, charge, slice } = use;
  const price = { charge, filterId: slice.filter?.id ?? null, groupedBy: slice.groupedBy };
  const fee: Fee = chargeFee(step.rated, {
    currency: plan.plan.currency,
    eventsCount: 1,
    taxes: taxesOf(context, { charge: charge.row.taxCodes, plan: plan.row.taxCodes }),
  });
  const taxes = feeTaxes(fee);
  return em.create(FeeEntity, {
    id: randomUUID(),
    organizationId: subscription.organizationId,
    invoiceId: null,
    billingPeriodId: null,
    subscriptionId: subscription.id,
    customerId: subscription.customerId,
    chargeId: charge.row.id,
    chargeFilterId: price.filterId,
    groupedBy: slice.groupedBy,
    eventId: event.id,
    eventTransactionId: event.transactionId === '' ? null : event.transactionId,
    feeType: 'charge',
    position: 0,
    item: chargeItem(price),
    amountCents: fee.amountMinor,
    amountCurrency: fee.currency,
    preciseAmount: fee.preciseAmount.toFixed(),
    preciseUnitAmount: fee.unitAmount.toFixed(),
    units: fee.units.toFixed(),
    totalAggregatedUnits: step.gained.toFixed(),
    eventsCount: 1,
    taxesAmountCents: taxes.amountMinor,
    taxesPreciseAmount: preciseTaxes(fee).toFixed(),
    taxesRate: taxes.rate.toFixed(),
    appliedTaxes: taxes.applied.map(({ tax, amountMinor }) => appliedTax(context, tax, amountMinor, fee.amountMinor)),
    amountDetails: fee.amountDetails,
    presentationBreakdowns: toStoredParts(partsOf(line)),
    payInAdvance: true,
    invoiceable: charge.row.invoiceable,
    paymentStatus: 'pending',
    fromAt: new Date(span.from),
    toAt: new Date(span.to),
    cutoffSequence: event.sequence,
    price: chargePrice(price),
    createdAt: now,
  });
}

/** One event is one part. */
function partsOf({ use, step }: AdvanceLine): UsagePart[] {
  const { keys, presentedBy } = presentedPart(use.charge.charge, use.event.dimensions);
  return keys.length === 0 ? [] : [{ keys, presentedBy, units: step.gained }];
}
