import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { metaOf, pageQuery } from '../platform/http/pagination.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { createBody, evaluationBody, updateBody } from './billable-metric.input.js';
import { billableMetricAnswer, expressionAnswer, billableMetricJson } from './billable-metric.mapping.js';
import { BillableMetricsService, tryExpression } from './billable-metrics.service.js';

const listQuery = z.object(pageQuery);

@ApiTags('billable_metrics')
@Controller('api/v1/billable_metrics')
export class BillableMetricsController {
  constructor(private readonly metrics: BillableMetricsService) {}

  @CreateRoute('', 'billable_metric', billableMetricAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: createBody }) body: z.infer<typeof createBody>,
  ) {
    return { billable_metric: billableMetricJson(await this.metrics.create(organizationId, body.billable_metric)) };
  }

  @CreateRoute('evaluate_expression', 'expression_result', expressionAnswer)
  evaluateExpression(@Body({ schema: evaluationBody }) body: z.infer<typeof evaluationBody>) {
    return { expression_result: { value: tryExpression(body, new Date()) } };
  }

  @ListRoute('', 'billable_metrics', billableMetricAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    const { items, totalCount } = await this.metrics.list(organizationId, query);
    return { billable_metrics: items.map(billableMetricJson), meta: metaOf(query, totalCount) };
  }

  @ReadRoute(':code', 'billable_metric', billableMetricAnswer)
  async read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return { billable_metric: billableMetricJson(await this.metrics.read(organizationId, code)) };
  }

  @UpdateRoute(':code', 'billable_metric', billableMetricAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Body({ schema: updateBody }) body: z.infer<typeof updateBody>,
  ) {
    const metric = await this.metrics.update(organizationId, code, body.billable_metric);
    return { billable_metric: billableMetricJson(metric) };
  }

  @DeleteRoute(':code', 'billable_metric', billableMetricAnswer)
  async delete(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return { billable_metric: billableMetricJson(await this.metrics.delete(organizationId, code)) };
  }
}
