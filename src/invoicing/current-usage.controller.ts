import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { text } from '../platform/http/fields.js';
import { currentUsageAnswer, currentUsageJson } from './current-usage.mapping.js';
import { CurrentUsageService } from './current-usage.service.js';

const query = z.object({
  external_subscription_id: text(),
  apply_taxes: z
    .enum(['true', 'false'])
    .optional()
    .transform((value) => value !== 'false'),
});

@ApiTags('customers')
@Controller('api/v1/customers')
export class CurrentUsageController {
  constructor(private readonly usage: CurrentUsageService) {}

  @Get(':external_id/current_usage')
  @ApiOkResponse({ standardSchema: z.object({ customer_usage: currentUsageAnswer }) })
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: query }) { external_subscription_id, apply_taxes }: z.infer<typeof query>,
  ) {
    const usage = await this.usage.read(organizationId, externalId, external_subscription_id, {
      applyTaxes: apply_taxes,
    });
    return { customer_usage: currentUsageJson(usage) };
  }
}
