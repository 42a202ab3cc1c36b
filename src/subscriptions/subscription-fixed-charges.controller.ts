import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ownFixedChargeInput } from '../catalog/charge.input.js';
import { fixedChargeAnswer, fixedChargeJson } from '../catalog/index.js';
import { findFixedCharge, ownFixedCharge, withFixedCharge } from '../catalog/overrides.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database } from '../platform/database/database.js';
import { metaOf, pageOf, pageQuery } from '../platform/http/pagination.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { SubscriptionsService } from './ports.js';
import { livingOneQuery, oneOfQuery, readPlanOf } from './subscription-plan-view.js';

const fixedChargeBody = wrapped('fixed_charge', ownFixedChargeInput);
const listQuery = oneOfQuery.extend(pageQuery);

/** The fixed charges of a subscription; it may have other units or another price of them than its plan. */
@ApiTags('subscriptions')
@Controller('api/v1/subscriptions/:external_id/fixed_charges')
export class SubscriptionFixedChargesController {
  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionsService,
  ) {}

  @ListRoute('', 'fixed_charges', fixedChargeAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    const view = await readPlanOf(this.database, organizationId, externalId, query);
    return {
      fixed_charges: pageOf(view.fixedCharges, query).map((one) => fixedChargeJson(view, one)),
      meta: metaOf(query, view.fixedCharges.length),
    };
  }

  @ReadRoute(':fixed_charge_code', 'fixed_charge', fixedChargeAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('fixed_charge_code') code: string,
    @Query({ schema: oneOfQuery }) query: z.infer<typeof oneOfQuery>,
  ) {
    const view = await readPlanOf(this.database, organizationId, externalId, query);
    return { fixed_charge: fixedChargeJson(view, findFixedCharge(view, null, { code })) };
  }

  @UpdateRoute(':fixed_charge_code', 'fixed_charge', fixedChargeAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('external_id') externalId: string,
    @Param('fixed_charge_code') code: string,
    @Query({ schema: livingOneQuery }) { subscription_status: status }: z.infer<typeof livingOneQuery>,
    @Body({ schema: fixedChargeBody }) { fixed_charge: input }: z.infer<typeof fixedChargeBody>,
  ) {
    const view = await this.subscriptions.changeTerms(organizationId, externalId, status, {
      work: (rows, taxes) => {
        const { id } = findFixedCharge(rows, null, { code }).fixedCharge;
        return withFixedCharge(rows, id, (one) => ownFixedCharge(one, input, taxes));
      },
      atOnce: (rows) =>
        new Set(input.apply_units_immediately === true ? [findFixedCharge(rows, null, { code }).fixedCharge.id] : []),
    });
    return { fixed_charge: fixedChargeJson(view, findFixedCharge(view, null, { code })) };
  }
}
