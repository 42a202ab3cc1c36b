import { randomUUID } from 'node:crypto';
import type { RatedPlan } from '../catalog/rated-plan.js';
import type { Instant } from '../domain/calendar/instant.js';
import type { Fee } from '../domain/invoicing/fee.js';
import { feeTaxes, preciseTaxes, type Tax } from '../domain/invoicing/taxes.js';
import type { Decimal } from '../domain/money/decimal.js';
import type { UsageReader } from '../metering/index.js';
import type { EntityManager } from '../platform/database/database.js';
import type { AppliedTaxRow } from './applied-tax.js';
import type { BillingContext } from './billing-context.js';
import type { BillingPeriodRow } from './billing-period.entity.js';
import { FeeEntity, type FeeRow, type FeeType } from './fee.entity.js';
import { toStoredParts } from './presentation.mapping.js';
import type { UsagePart } from './usage-breakdown.js';

/** What the fees of one billing step are computed from. */
export interface FeeComputation {
  readonly em: EntityManager;
  readonly reader: UsageReader;
  readonly context: BillingContext;
  readonly plan: RatedPlan;
  readonly period: BillingPeriodRow;
  readonly createdAt: Date;
}

/** A fee before it is stored. */
export interface FeeLine {
  readonly id: string;
  readonly feeType: FeeType;
  readonly fee: Fee;
  /** The time it is for, half-open. */
  readonly from: Instant;
  readonly to: Instant;
  /** What the API shows as `item` (lago-api.md 3.6), kept with the fee: a later rename changes no document. */
  readonly item: Record<string, unknown>;
  /** What it was priced by. */
  readonly price: Record<string, unknown>;
  readonly totalAggregatedUnits: Decimal;
  readonly eventsCount: number | null;
  readonly payInAdvance: boolean;
  /** False: it stands for itself and no invoice takes it in. */
  readonly invoiceable: boolean;
  readonly chargeId?: string;
  readonly chargeFilterId?: string | null;
  readonly fixedChargeId?: string;
  readonly groupedBy?: Record<string, string | null>;
  readonly parts?: readonly UsagePart[];
  readonly trueUpParentFeeId?: string;
}

type Defaults = 'id' | 'payInAdvance' | 'invoiceable' | 'totalAggregatedUnits' | 'eventsCount';

export function feeLine(line: Omit<FeeLine, Defaults> & Partial<Pick<FeeLine, Defaults>>): FeeLine {
  return {
    id: randomUUID(),
    payInAdvance: false,
    invoiceable: true,
    totalAggregatedUnits: line.fee.units,
    eventsCount: null,
    ...line,
  };
}

export function toFeeRow({ em, context, period, createdAt }: FeeComputation, line: FeeLine, position: number): FeeRow {
  const { fee } = line;
  const taxes = feeTaxes(fee);
  return em.create(FeeEntity, {
    id: line.id,
    organizationId: period.organizationId,
    invoiceId: line.invoiceable ? (period.invoiceId ?? null) : null,
    billingPeriodId: period.id,
    subscriptionId: period.subscriptionId,
    customerId: period.customerId,
    chargeId: line.chargeId ?? null,
    chargeFilterId: line.chargeFilterId ?? null,
    fixedChargeId: line.fixedChargeId ?? null,
    trueUpParentFeeId: line.trueUpParentFeeId ?? null,
    groupedBy: line.groupedBy ?? {},
    feeType: line.feeType,
    position,
    item: line.item,
    amountCents: fee.amountMinor,
    amountCurrency: fee.currency,
    preciseAmount: fee.preciseAmount.toFixed(),
    preciseUnitAmount: fee.unitAmount.toFixed(),
    units: fee.units.toFixed(),
    totalAggregatedUnits: line.totalAggregatedUnits.toFixed(),
    eventsCount: line.eventsCount,
    taxesAmountCents: taxes.amountMinor,
    taxesPreciseAmount: preciseTaxes(fee).toFixed(),
    taxesRate: taxes.rate.toFixed(),
    appliedTaxes: taxes.applied.map(({ tax, amountMinor }) => appliedTax(context, tax, amountMinor, fee.amountMinor)),
    amountDetails: fee.amountDetails,
    presentationBreakdowns: toStoredParts(line.parts ?? []),
    payInAdvance: line.payInAdvance,
    invoiceable: line.invoiceable,
    paymentStatus: 'pending',
    fromAt: new Date(line.from),
    toAt: new Date(line.to),
    cutoffSequence: period.cutoffSequence,
    price: line.price,
    createdAt,
  });
}

/** A tax as stored on a fee or an invoice. */
export function appliedTax(
  context: Pick<BillingContext, 'taxes'>,
  tax: Tax,
  amountCents: number,
  feesAmountCents: number,
): AppliedTaxRow {
  return {
    lagoId: randomUUID(),
    taxId: context.taxes.find((row) => row.code === tax.code)?.id ?? '',
    code: tax.code,
    name: tax.name,
    description: tax.description ?? null,
    rate: tax.rate.toFixed(),
    amountCents,
    feesAmountCents,
  };
}
