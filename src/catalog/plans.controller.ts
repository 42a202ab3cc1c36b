import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { metaOf, pageQuery } from '../platform/http/pagination.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { createBody, updateBody } from './plan.input.js';
import { planAnswer, planJson } from './plan.mapping.js';
import { PlansService } from './plans.service.js';

const listQuery = z.object(pageQuery);

@ApiTags('plans')
@Controller('api/v1/plans')
export class PlansController {
  constructor(private readonly plans: PlansService) {}

  @CreateRoute('', 'plan', planAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: createBody }) body: z.infer<typeof createBody>,
  ) {
    return { plan: planJson(await this.plans.create(organizationId, body.plan)) };
  }

  @ListRoute('', 'plans', planAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    const { items, totalCount } = await this.plans.list(organizationId, query);
    return { plans: items.map(planJson), meta: metaOf(query, totalCount) };
  }

  @ReadRoute(':code', 'plan', planAnswer)
  async read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return { plan: planJson(await this.plans.read(organizationId, code)) };
  }

  @UpdateRoute(':code', 'plan', planAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Body({ schema: updateBody }) body: z.infer<typeof updateBody>,
  ) {
    const plan = await this.plans.update(organizationId, code, body.plan);
    return { plan: planJson(plan) };
  }

  @DeleteRoute(':code', 'plan', planAnswer)
  async delete(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return { plan: planJson(await this.plans.delete(organizationId, code)) };
  }
}
