import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import {
  AddOnsController,
  BillableMetricsController,
  BillableMetricsService,
  DraftsOfPlan,
  ExpressionsOfEvents,
  FixedChargeUnits,
  MetricDefinitions,
  PlanChargesController,
  PlanEditor,
  PlanFixedChargesController,
  PlanMetadataController,
  PlanPartsService,
  PlansController,
  PlansService,
  SubscriptionsOfPlan,
} from './catalog/index.js';
import { CustomersController, CustomersService, DraftsOfCustomer, SubscriptionsOfCustomer } from './customers/index.js';
import { type EventExpressions, EventsController } from './ingestion/index.js';
import { UsageReader } from './metering/index.js';
import { SubscriptionTerms } from './catalog/subscription-terms.js';
import { CreditNotesController } from './invoicing/credit-notes.controller.js';
import { CurrentUsageController } from './invoicing/current-usage.controller.js';
import { CurrentUsageService } from './invoicing/current-usage.service.js';
import { FeeEstimatesController } from './invoicing/fee-estimates.controller.js';
import { FeeEstimates } from './invoicing/fee-estimates.service.js';
import { FeesController } from './invoicing/fees.controller.js';
import { InvoicePreviewController } from './invoicing/invoice-preview.controller.js';
import { InvoicePreviews } from './invoicing/invoice-preview.service.js';
import { InvoicesController } from './invoicing/invoices.controller.js';
import { PastUsageController } from './invoicing/past-usage.controller.js';
import { PastUsageService } from './invoicing/past-usage.service.js';
import { InvoiceCommands } from './invoicing/ports.js';
import {
  AdminController,
  ApiKeyGuard,
  ApiKeys,
  DraftsOfOrganization,
  GraceOfOrganization,
  LivesOfOrganization,
  OrganizationsController,
  TaxesController,
} from './organizations/index.js';
import type { Config } from './platform/config.js';
import { Database } from './platform/database/database.js';
import { HealthController } from './platform/http/health.controller.js';
import { ProblemFilter } from './platform/http/problem.filter.js';
import type { ReadinessProbe } from './platform/http/readiness.js';
import { RequestPipe } from './platform/http/request.pipe.js';
import { CONFIG, LOGGER, READINESS_PROBES } from './platform/http/tokens.js';
import type { Logger } from './platform/logging/logger.js';
import { SubscriptionsService } from './subscriptions/ports.js';
import { SubscriptionChargesController } from './subscriptions/subscription-charges.controller.js';
import { SubscriptionFixedChargesController } from './subscriptions/subscription-fixed-charges.controller.js';
import { SubscriptionsController } from './subscriptions/subscriptions.controller.js';
import { TestClocksController } from './test-clocks/test-clocks.controller.js';
import { TestClocks } from './test-clocks/test-clocks.service.js';

/** What the API's controllers stand on, made by the wiring (or by a test). */
export interface ApiServices {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
  readonly apiKeys: ApiKeys;
  readonly probes: readonly ReadinessProbe[];
  readonly metricDefinitions: MetricDefinitions;
  readonly expressions: EventExpressions;
  readonly subscriptions: SubscriptionsService;
  readonly fixedChargeUnits: FixedChargeUnits;
  readonly invoiceCommands: InvoiceCommands;
  readonly currentUsage: CurrentUsageService;
  readonly testClocks: TestClocks;
}

/** Every room of the API. What one capability needs of another it asks of a port of its own; here they are bound. */
@Module({})
export class ApiModule {
  static with(services: ApiServices): DynamicModule {
    return {
      module: ApiModule,
      controllers: [
        HealthController,
        AdminController,
        OrganizationsController,
        TaxesController,
        BillableMetricsController,
        AddOnsController,
        PlansController,
        PlanChargesController,
        PlanFixedChargesController,
        PlanMetadataController,
        CustomersController,
        SubscriptionsController,
        SubscriptionChargesController,
        SubscriptionFixedChargesController,
        EventsController,
        CurrentUsageController,
        InvoicesController,
        FeesController,
        FeeEstimatesController,
        CreditNotesController,
        InvoicePreviewController,
        PastUsageController,
        TestClocksController,
      ],
      providers: [
        { provide: CONFIG, useValue: services.config },
        { provide: LOGGER, useValue: services.logger },
        { provide: READINESS_PROBES, useValue: services.probes },
        { provide: Database, useValue: services.database },
        { provide: ApiKeys, useValue: services.apiKeys },
        { provide: MetricDefinitions, useValue: services.metricDefinitions },
        { provide: ExpressionsOfEvents, useValue: services.expressions },
        { provide: SubscriptionsService, useValue: services.subscriptions },
        { provide: FixedChargeUnits, useValue: services.fixedChargeUnits },
        { provide: SubscriptionsOfPlan, useExisting: SubscriptionsService },
        { provide: DraftsOfPlan, useExisting: InvoiceCommands },
        { provide: SubscriptionsOfCustomer, useExisting: SubscriptionsService },
        { provide: LivesOfOrganization, useExisting: SubscriptionsService },
        { provide: InvoiceCommands, useValue: services.invoiceCommands },
        { provide: DraftsOfCustomer, useExisting: InvoiceCommands },
        { provide: GraceOfOrganization, useExisting: InvoiceCommands },
        { provide: DraftsOfOrganization, useExisting: InvoiceCommands },
        { provide: CurrentUsageService, useValue: services.currentUsage },
        { provide: FeeEstimates, useValue: new FeeEstimates(services.database, services.expressions) },
        {
          provide: InvoicePreviews,
          useValue: new InvoicePreviews(
            services.database,
            new UsageReader(),
            new SubscriptionTerms(services.metricDefinitions),
            services.config,
          ),
        },
        { provide: PastUsageService, useValue: new PastUsageService(services.database) },
        { provide: TestClocks, useValue: services.testClocks },
        BillableMetricsService,
        PlanEditor,
        PlansService,
        PlanPartsService,
        CustomersService,
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: APP_PIPE, useClass: RequestPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
