import { Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { text } from '../platform/http/fields.js';
import { metaOf, pageQuery } from '../platform/http/pagination.js';
import { textFilter } from '../platform/http/query-fields.js';
import { ListRoute } from '../platform/http/routes.js';
import { pastUsageAnswer, pastUsageJson } from './past-usage.mapping.js';
import { PastUsageService } from './past-usage.service.js';

const query = z.object({
  ...pageQuery,
  external_subscription_id: text(),
  billable_metric_code: textFilter(),
  periods_count: z
    .string()
    .regex(/^[1-9]\d{0,5}$/)
    .transform(Number)
    .optional(),
});

@ApiTags('customers')
@Controller('api/v1/customers')
export class PastUsageController {
  constructor(private readonly usage: PastUsageService) {}

  /** The billed usage of closed periods, the newest first. */
  @ListRoute(':external_id/past_usage', 'usage_periods', pastUsageAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: query }) asked: z.infer<typeof query>,
  ) {
    const { periods, totalCount } = await this.usage.read(organizationId, externalId, {
      externalSubscriptionId: asked.external_subscription_id,
      page: asked.page,
      perPage: asked.per_page,
      ...(asked.billable_metric_code !== undefined && { billableMetricCode: asked.billable_metric_code }),
      ...(asked.periods_count !== undefined && { periodsCount: asked.periods_count }),
    });
    return { usage_periods: periods.map(pastUsageJson), meta: metaOf(asked, totalCount) };
  }
}
