import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { text } from '../platform/http/fields.js';
import { booleanFilter, groupFilter, textFilter } from '../platform/http/query-fields.js';
import { currentUsageAnswer, currentUsageJson } from './current-usage.mapping.js';
import { CurrentUsageService } from './current-usage.service.js';

const query = z.object({
  external_subscription_id: text(),
  charge_id: textFilter(),
  charge_code: textFilter(),
  billable_metric_code: textFilter(),
  group: groupFilter(),
  filter_by_charge_id: textFilter(),
  filter_by_charge_code: textFilter(),
  filter_by_group: groupFilter(),
  filter_by_presentation: jsonListFilter(),
  full_usage: booleanFilter().meta({
    description: 'Since the start of the subscription. Needs a filter by charge or by group.',
  }),
  groups_page: groupsPage(1, 1_000_000).meta({ description: 'Which part of grouped_usage. An addition to Lago.' }),
  groups_per_page: groupsPage(undefined, 10_000).meta({
    description: 'How many groups of each charge are listed; all without it. An addition to Lago.',
  }),
  apply_taxes: z
    .enum(['true', 'false'])
    .optional()
    .transform((value) => value !== 'false'),
});

/** `["team"]` as JSON, or `filter_by_presentation[]=team`; an empty list is one too. */
function jsonListFilter() {
  return z
    .union([z.array(z.string()), z.string()])
    .transform((value) => (Array.isArray(value) ? value : fromJson(value)))
    .pipe(z.array(z.string().max(255)).max(100))
    .optional();
}

// One bare word is what it says.
function fromJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [text];
  } catch {
    return [text];
  }
}

function groupsPage(fallback: number | undefined, max: number) {
  return z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .optional()
    .transform((value) => (value === undefined ? fallback : Math.min(Number(value), max)));
}

@ApiTags('customers')
@Controller('api/v1/customers')
export class CurrentUsageController {
  constructor(private readonly usage: CurrentUsageService) {}

  @Get(':external_id/current_usage')
  @ApiOkResponse({ standardSchema: z.object({ customer_usage: currentUsageAnswer }) })
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: query }) asked: z.infer<typeof query>,
  ) {
    const chargeId = asked.filter_by_charge_id ?? asked.charge_id;
    const chargeCode = asked.filter_by_charge_code ?? asked.charge_code;
    const group = asked.filter_by_group ?? asked.group;
    const usage = await this.usage.read(organizationId, externalId, asked.external_subscription_id, {
      applyTaxes: asked.apply_taxes,
      full: asked.full_usage === true,
      ...(chargeId !== undefined && { chargeId }),
      ...(chargeCode !== undefined && { chargeCode }),
      ...(asked.billable_metric_code !== undefined && { billableMetricCode: asked.billable_metric_code }),
      ...(group !== undefined && { group }),
      ...(asked.filter_by_presentation !== undefined && { presentation: asked.filter_by_presentation }),
    });
    const { groups_page: page, groups_per_page: perPage } = asked;
    return { customer_usage: currentUsageJson(usage, perPage === undefined ? null : { page: page ?? 1, perPage }) };
  }
}
