import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { chargeAnswer, chargeFilterAnswer, chargeFilterJson, chargeJson, type PlanView } from '../catalog/index.js';
import { filterChangeInput, filterInput, ownChargeInput } from '../catalog/charge.input.js';
import {
  findCharge,
  findFilter,
  ownCharge,
  withChangedFilter,
  withCharge,
  withNewFilter,
  withoutFilter,
} from '../catalog/overrides.js';
import type { ChargeRows } from '../catalog/plan-rows.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database } from '../platform/database/database.js';
import { metaOf, pageOf, pageQuery } from '../platform/http/pagination.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { SubscriptionsService } from './ports.js';
import { livingOneQuery, oneOfQuery, readPlanOf } from './subscription-plan-view.js';

const chargeBody = wrapped('charge', ownChargeInput);
const filterBody = wrapped('filter', filterInput);
const filterChangeBody = wrapped('filter', filterChangeInput);
const listQuery = oneOfQuery.extend(pageQuery);
type OneOf = z.infer<typeof oneOfQuery>;
type LivingOne = z.infer<typeof livingOneQuery>;
type ListQuery = z.infer<typeof listQuery>;

/** The charges of a subscription: those of its plan, with terms of its own where it has some. A change makes them its own. */
@ApiTags('subscriptions')
@Controller('api/v1/subscriptions/:external_id/charges')
export class SubscriptionChargesController {
  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionsService,
  ) {}

  @ListRoute('', 'charges', chargeAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: listQuery }) query: ListQuery,
  ) {
    const view = await readPlanOf(this.database, organizationId, externalId, query);
    return {
      charges: pageOf(view.charges, query).map((charge) => chargeJson(view, charge)),
      meta: metaOf(query, view.charges.length),
    };
  }

  @ReadRoute(':charge_code', 'charge', chargeAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Query({ schema: oneOfQuery }) query: OneOf,
  ) {
    const view = await readPlanOf(this.database, organizationId, externalId, query);
    return { charge: chargeJson(view, findCharge(view, view.ownedBy, { code })) };
  }

  @UpdateRoute(':charge_code', 'charge', chargeAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Query({ schema: livingOneQuery }) query: LivingOne,
    @Body({ schema: chargeBody }) { charge: input }: z.infer<typeof chargeBody>,
  ) {
    const { subscription_status: status } = query;
    const view = await this.subscriptions.changeTerms(organizationId, externalId, status, {
      work: (rows, taxes) => {
        const { id } = findCharge(rows, null, { code }).charge;
        return withCharge(rows, id, (one) => ownCharge(one, input, taxes));
      },
    });
    return { charge: chargeJson(view, findCharge(view, null, { code })) };
  }

  @CreateRoute(':charge_code/filters', 'filter', chargeFilterAnswer)
  async createFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Query({ schema: livingOneQuery }) query: LivingOne,
    @Body({ schema: filterBody }) { filter: input }: z.infer<typeof filterBody>,
  ) {
    let filterId = '';
    const view = await this.changeCharge(organizationId, externalId, query, code, (one) => {
      const { charge, filter } = withNewFilter(one, input);
      filterId = filter.id;
      return charge;
    });
    return filterAnswer(view, code, filterId);
  }

  @ListRoute(':charge_code/filters', 'filters', chargeFilterAnswer)
  async listFilters(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Query({ schema: listQuery }) query: ListQuery,
  ) {
    const view = await readPlanOf(this.database, organizationId, externalId, query);
    const { charge, filters } = findCharge(view, null, { code });
    return {
      filters: pageOf(filters, query).map((filter) => chargeFilterJson(view, charge, filter)),
      meta: metaOf(query, filters.length),
    };
  }

  @ReadRoute(':charge_code/filters/:filter_id', 'filter', chargeFilterAnswer)
  async readFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Param('filter_id') filterId: string,
    @Query({ schema: oneOfQuery }) query: OneOf,
  ) {
    return filterAnswer(await readPlanOf(this.database, organizationId, externalId, query), code, filterId);
  }

  @UpdateRoute(':charge_code/filters/:filter_id', 'filter', chargeFilterAnswer)
  async updateFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Param('filter_id') filterId: string,
    @Query({ schema: livingOneQuery }) query: LivingOne,
    @Body({ schema: filterChangeBody }) { filter: input }: z.infer<typeof filterChangeBody>,
  ) {
    let id = '';
    const view = await this.changeCharge(organizationId, externalId, query, code, (one, subscriptionId) => {
      const filter = findFilter(one, subscriptionId, filterId);
      id = filter.id;
      return withChangedFilter(one, filter, input);
    });
    return filterAnswer(view, code, id);
  }

  @DeleteRoute(':charge_code/filters/:filter_id', 'filter', chargeFilterAnswer)
  async deleteFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('charge_code') code: string,
    @Param('filter_id') filterId: string,
    @Query({ schema: livingOneQuery }) query: LivingOne,
  ) {
    let gone: ChargeRows['filters'][number] | null = null;
    const view = await this.changeCharge(organizationId, externalId, query, code, (one, subscriptionId) => {
      gone = findFilter(one, subscriptionId, filterId);
      return withoutFilter(one, gone);
    });
    return { filter: chargeFilterJson(view, findCharge(view, null, { code }).charge, gone!) };
  }

  private changeCharge(
    organizationId: string,
    externalId: string,
    { subscription_status: status }: LivingOne,
    code: string,
    change: (one: ChargeRows, subscriptionId: string) => ChargeRows,
  ): Promise<PlanView> {
    return this.subscriptions.changeTerms(organizationId, externalId, status, {
      work: (rows, _, subscriptionId) => {
        const { id } = findCharge(rows, null, { code }).charge;
        return withCharge(rows, id, (one) => change(one, subscriptionId));
      },
    });
  }
}

function filterAnswer(view: PlanView, code: string, filterId: string) {
  const one = findCharge(view, null, { code });
  return { filter: chargeFilterJson(view, one.charge, findFilter(one, view.ownedBy, filterId)) };
}
