import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { metaOf, pageOf, pageQuery } from '../platform/http/pagination.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import {
  cascadeUpdates,
  chargeFields,
  type Deletion,
  deletionBody,
  deletionQuery,
  filterChangeInput,
  filterInput,
  isCascading,
} from './charge.input.js';
import { findCharge, findFilter } from './overrides.js';
import { PlanPartsService } from './plan-parts.service.js';
import { chargeAnswer, chargeFilterAnswer, chargeFilterJson, chargeJson } from './plan.mapping.js';

const chargeBody = wrapped('charge', z.object({ ...chargeFields, ...cascadeUpdates }).meta({ id: 'PlanChargeInput' }));
const filterBody = wrapped('filter', filterInput);
const filterChangeBody = wrapped('filter', filterChangeInput);
const chargeDeletionBody = deletionBody('charge');
const filterDeletionBody = deletionBody('filter');
const listQuery = z.object(pageQuery);
type ListQuery = z.infer<typeof listQuery>;

const cascading = (...places: Parameters<typeof isCascading>) => ({ cascade: isCascading(...places) });

/** The charges of a plan and their filters, one by one. */
@ApiTags('plans')
@Controller('api/v1/plans/:code/charges')
export class PlanChargesController {
  constructor(private readonly parts: PlanPartsService) {}

  @CreateRoute('', 'charge', chargeAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Body({ schema: chargeBody }) { charge: input }: z.infer<typeof chargeBody>,
  ) {
    const { view, part } = await this.parts.createCharge(organizationId, planCode, input, cascading(input));
    return { charge: chargeJson(view, part) };
  }

  @ListRoute('', 'charges', chargeAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Query({ schema: listQuery }) query: ListQuery,
  ) {
    const view = await this.parts.read(organizationId, planCode);
    const charges = pageOf(view.charges, query).map((charge) => chargeJson(view, charge));
    return { charges, meta: metaOf(query, view.charges.length) };
  }

  @ReadRoute(':charge_code', 'charge', chargeAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
  ) {
    const view = await this.parts.read(organizationId, planCode);
    return { charge: chargeJson(view, findCharge(view, null, { code })) };
  }

  @UpdateRoute(':charge_code', 'charge', chargeAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Body({ schema: chargeBody }) { charge: input }: z.infer<typeof chargeBody>,
  ) {
    const { view, part } = await this.parts.updateCharge(organizationId, planCode, code, input, cascading(input));
    return { charge: chargeJson(view, part) };
  }

  @DeleteRoute(':charge_code', 'charge', chargeAnswer)
  async delete(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Query({ schema: deletionQuery }) query: Deletion,
    @Body({ schema: chargeDeletionBody }) body: z.infer<typeof chargeDeletionBody>,
  ) {
    const options = cascading(query, body.charge);
    const { view, part } = await this.parts.deleteCharge(organizationId, planCode, code, options);
    return { charge: chargeJson(view, part) };
  }

  @CreateRoute(':charge_code/filters', 'filter', chargeFilterAnswer)
  async createFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Body({ schema: filterBody }) { filter: input }: z.infer<typeof filterBody>,
  ) {
    const { view, part } = await this.parts.createFilter(organizationId, planCode, code, input, cascading(input));
    return { filter: chargeFilterJson(view, part.charge, part.filter) };
  }

  @ListRoute(':charge_code/filters', 'filters', chargeFilterAnswer)
  async listFilters(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Query({ schema: listQuery }) query: ListQuery,
  ) {
    const view = await this.parts.read(organizationId, planCode);
    const { charge, filters } = findCharge(view, null, { code });
    return {
      filters: pageOf(filters, query).map((filter) => chargeFilterJson(view, charge, filter)),
      meta: metaOf(query, filters.length),
    };
  }

  @ReadRoute(':charge_code/filters/:filter_id', 'filter', chargeFilterAnswer)
  async readFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Param('filter_id') filterId: string,
  ) {
    const view = await this.parts.read(organizationId, planCode);
    const one = findCharge(view, null, { code });
    return { filter: chargeFilterJson(view, one.charge, findFilter(one, null, filterId)) };
  }

  @UpdateRoute(':charge_code/filters/:filter_id', 'filter', chargeFilterAnswer)
  async updateFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Param('filter_id') filterId: string,
    @Body({ schema: filterChangeBody }) { filter: input }: z.infer<typeof filterChangeBody>,
  ) {
    const options = cascading(input);
    const { view, part } = await this.parts.updateFilter(organizationId, planCode, code, filterId, input, options);
    return { filter: chargeFilterJson(view, part.charge, part.filter) };
  }

  @DeleteRoute(':charge_code/filters/:filter_id', 'filter', chargeFilterAnswer)
  async deleteFilter(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('charge_code') code: string,
    @Param('filter_id') filterId: string,
    @Query({ schema: deletionQuery }) query: Deletion,
    @Body({ schema: filterDeletionBody }) body: z.infer<typeof filterDeletionBody>,
  ) {
    const options = cascading(query, body.filter);
    const { view, part } = await this.parts.deleteFilter(organizationId, planCode, code, filterId, options);
    return { filter: chargeFilterJson(view, part.charge, part.filter) };
  }
}
