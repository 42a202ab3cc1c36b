import type { EntitySchema } from '@mikro-orm/core';
import { AddOnEntity } from './catalog/add-on.entity.js';
import { BillableMetricEntity } from './catalog/billable-metric.entity.js';
import { ChargeFilterEntity } from './catalog/charge-filter.entity.js';
import { ChargeEntity } from './catalog/charge.entity.js';
import { FixedChargeUnitChangeEntity } from './catalog/fixed-charge-unit-change.entity.js';
import { FixedChargeEntity } from './catalog/fixed-charge.entity.js';
import { MinimumCommitmentEntity } from './catalog/minimum-commitment.entity.js';
import { PlanEntity } from './catalog/plan.entity.js';
import { SubscriptionTermsEntity } from './catalog/subscription-terms.entity.js';
import { GatewayWebhookEntity } from './collection/gateway-webhook.entity.js';
import { PaymentEntity } from './collection/payment.entity.js';
import { SandboxChargeEntity } from './collection/sandbox-charge.entity.js';
import { CustomerEntity } from './customers/customer.entity.js';
import { BillingPeriodEntity } from './invoicing/billing-period.entity.js';
import { CreditNoteEntity, CreditNoteItemEntity, InvoiceCreditEntity } from './invoicing/credit-note.entity.js';
import { FeeEntity } from './invoicing/fee.entity.js';
import { InvoiceEntity } from './invoicing/invoice.entity.js';
import { LateUsageEntity } from './invoicing/late-usage.entity.js';
import { ApiKeyEntity } from './organizations/api-key.entity.js';
import { OrganizationEntity } from './organizations/organization.entity.js';
import { TaxEntity } from './organizations/tax.entity.js';
import { DueMomentEntity } from './due-moments/due-moment.entity.js';
import { SubscriptionPauseEntity } from './subscriptions/subscription-pause.entity.js';
import { SubscriptionEntity } from './subscriptions/subscription.entity.js';
import { TestClockEntity } from './test-clocks/test-clock.entity.js';

/** Every mapped table. Events and aggregates are not here: the metering store reads and writes them in plain SQL. */
export const entities: EntitySchema[] = [
  OrganizationEntity,
  ApiKeyEntity,
  TaxEntity,
  BillableMetricEntity,
  PlanEntity,
  ChargeEntity,
  ChargeFilterEntity,
  AddOnEntity,
  FixedChargeEntity,
  FixedChargeUnitChangeEntity,
  MinimumCommitmentEntity,
  TestClockEntity,
  CustomerEntity,
  SubscriptionEntity,
  SubscriptionTermsEntity,
  SubscriptionPauseEntity,
  DueMomentEntity,
  BillingPeriodEntity,
  InvoiceEntity,
  FeeEntity,
  CreditNoteEntity,
  CreditNoteItemEntity,
  InvoiceCreditEntity,
  LateUsageEntity,
  PaymentEntity,
  GatewayWebhookEntity,
  SandboxChargeEntity,
] as unknown as EntitySchema[];
