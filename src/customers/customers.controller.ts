import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { metaOf } from '../platform/http/pagination.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute } from '../platform/http/routes.js';
import { customerListQuery } from './customer-list.js';
import { upsertBody } from './customer.input.js';
import { customerAnswer, customerJson } from './customer.mapping.js';
import { CustomersService } from './customers.service.js';

@ApiTags('customers')
@Controller('api/v1/customers')
export class CustomersController {
  constructor(private readonly customers: CustomersService) {}

  @CreateRoute('', 'customer', customerAnswer)
  async upsert(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: upsertBody }) body: z.infer<typeof upsertBody>,
  ) {
    return { customer: customerJson(await this.customers.upsert(organizationId, body.customer)) };
  }

  @ListRoute('', 'customers', customerAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: customerListQuery }) query: z.infer<typeof customerListQuery>,
  ) {
    const { items, totalCount } = await this.customers.list(organizationId, query);
    return { customers: items.map(customerJson), meta: metaOf(query, totalCount) };
  }

  @ReadRoute(':external_id', 'customer', customerAnswer)
  async read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('external_id') externalId: string) {
    return { customer: customerJson(await this.customers.read(organizationId, externalId)) };
  }

  @DeleteRoute(':external_id', 'customer', customerAnswer)
  async delete(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
  ) {
    return { customer: customerJson(await this.customers.delete(organizationId, externalId)) };
  }
}
