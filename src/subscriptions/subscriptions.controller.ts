import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { PlanOverrides } from '../catalog/charge.input.js';
import { findCustomer } from '../customers/index.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { metaOf } from '../platform/http/pagination.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { SubscriptionsService } from './ports.js';
import { listSubscriptionIds } from './subscription-list.js';
import { subscriptionViews } from './subscription-view.js';
import { SubscriptionEntity } from './subscription.entity.js';
import {
  createBody,
  oneQuery,
  pauseBody,
  type SubscriptionListQuery,
  subscriptionListQuery,
  terminateQuery,
  trialBody,
  updateBody,
  updateQuery,
} from './subscription.input.js';
import { subscriptionAnswer, subscriptionJson } from './subscription.mapping.js';

@ApiTags('subscriptions')
@Controller('api/v1')
export class SubscriptionsController {
  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionsService,
  ) {}

  @CreateRoute('subscriptions', 'subscription', subscriptionAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: createBody }) { subscription: input }: z.infer<typeof createBody>,
  ) {
    const id = await this.subscriptions.create(organizationId, {
      externalCustomerId: input.external_customer_id,
      planCode: input.plan_code,
      externalId: input.external_id,
      name: input.name ?? null,
      billingTime: input.billing_time ?? 'calendar',
      subscriptionAt: input.subscription_at ?? null,
      ...(input.ending_at !== undefined && { endingAt: input.ending_at }),
      ...(isGiven(input.plan_overrides) && { planOverrides: input.plan_overrides }),
    });
    return this.answer(organizationId, id);
  }

  /** Only active ones unless `status[]` says otherwise. */
  @ListRoute('subscriptions', 'subscriptions', subscriptionAnswer)
  list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: subscriptionListQuery }) query: SubscriptionListQuery,
  ) {
    return this.database.tenant(organizationId, (em) => page(em, organizationId, query));
  }

  @ListRoute('customers/:external_customer_id/subscriptions', 'subscriptions', subscriptionAnswer)
  listOfCustomer(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_customer_id') externalCustomerId: string,
    @Query({ schema: subscriptionListQuery }) query: SubscriptionListQuery,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      const customer = await findCustomer(em, organizationId, externalCustomerId);
      return page(em, organizationId, query, customer.id);
    });
  }

  @ReadRoute('subscriptions/:external_id', 'subscription', subscriptionAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: oneQuery }) { status }: z.infer<typeof oneQuery>,
  ) {
    if (status === 'incomplete') throw notFound('subscription');
    const newest = await this.database.tenant(organizationId, (em) =>
      em.findOne(SubscriptionEntity, { organizationId, externalId, status }, { orderBy: { ordinal: 'desc' } }),
    );
    if (!newest) throw notFound('subscription');
    return this.answer(organizationId, newest.id);
  }

  @UpdateRoute('subscriptions/:external_id', 'subscription', subscriptionAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: updateQuery }) query: z.infer<typeof updateQuery>,
    @Body({ schema: updateBody }) { status: meant, subscription: input }: z.infer<typeof updateBody>,
  ) {
    const status = meant ?? query.status ?? 'active';
    if (status === 'incomplete') throw notFound('subscription');
    const id = await this.subscriptions.update(organizationId, externalId, status, {
      ...(input.name !== undefined && { name: input.name }),
      ...(input.ending_at !== undefined && { endingAt: input.ending_at }),
      ...(input.subscription_at != null && { subscriptionAt: input.subscription_at }),
      ...(input.on_termination_credit_note !== undefined && {
        onTerminationCreditNote: input.on_termination_credit_note,
      }),
      ...(input.on_termination_invoice != null && { onTerminationInvoice: input.on_termination_invoice }),
      ...(isGiven(input.plan_overrides) && { planOverrides: input.plan_overrides }),
    });
    return this.answer(organizationId, id);
  }

  /** An active one terminates now, a pending one is canceled. */
  @DeleteRoute('subscriptions/:external_id', 'subscription', subscriptionAnswer)
  async terminate(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: terminateQuery }) query: z.infer<typeof terminateQuery>,
  ) {
    const id = await this.subscriptions.terminate(organizationId, externalId, {
      status: query.status,
      ...(query.on_termination_credit_note !== undefined && {
        onTerminationCreditNote: query.on_termination_credit_note,
      }),
      ...(query.on_termination_invoice !== undefined && { onTerminationInvoice: query.on_termination_invoice }),
    });
    return this.answer(organizationId, id);
  }

  /** Additive: nothing accrues until it goes on. What is owed is billed, what was paid in advance is given back. */
  @CreateRoute('subscriptions/:external_id/pause', 'subscription', subscriptionAnswer)
  async pause(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Body({ schema: pauseBody }) { subscription: input }: z.infer<typeof pauseBody>,
  ) {
    const id = await this.subscriptions.pause(organizationId, externalId, input.resume_at ?? null);
    return this.answer(organizationId, id);
  }

  /** Additive: goes on now, or at `resume_at`. */
  @CreateRoute('subscriptions/:external_id/resume', 'subscription', subscriptionAnswer)
  async resume(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Body({ schema: pauseBody }) { subscription: input }: z.infer<typeof pauseBody>,
  ) {
    const id = await this.subscriptions.resume(organizationId, externalId, input.resume_at ?? null);
    return this.answer(organizationId, id);
  }

  /** Additive: a later end of a trial that is running. */
  @CreateRoute('subscriptions/:external_id/trial', 'subscription', subscriptionAnswer)
  async extendTrial(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Body({ schema: trialBody }) { subscription: input }: z.infer<typeof trialBody>,
  ) {
    const id = await this.subscriptions.extendTrial(organizationId, externalId, input.trial_ends_at);
    return this.answer(organizationId, id);
  }

  private async answer(organizationId: string, id: string) {
    const views = await this.database.tenant(organizationId, (em) => subscriptionViews(em, organizationId, [id]));
    const view = views.get(id);
    if (!view) throw notFound('subscription');
    return { subscription: subscriptionJson(view) };
  }
}

/** `{}` asks for nothing. */
function isGiven(overrides: PlanOverrides | null | undefined): overrides is PlanOverrides {
  return overrides != null && Object.keys(overrides).length > 0;
}

async function page(em: EntityManager, organizationId: string, query: SubscriptionListQuery, customerId?: string) {
  const { ids, totalCount } = await listSubscriptionIds(em, organizationId, query, customerId);
  const views = await subscriptionViews(em, organizationId, ids);
  return { subscriptions: ids.map((id) => subscriptionJson(views.get(id)!)), meta: metaOf(query, totalCount) };
}
