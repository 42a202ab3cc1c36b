import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { metaOf, pageOf, pageQuery } from '../platform/http/pagination.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import {
  cascadeUpdates,
  type Deletion,
  deletionBody,
  deletionQuery,
  fixedChargeFields,
  isCascading,
} from './charge.input.js';
import { findFixedCharge } from './overrides.js';
import { PlanPartsService } from './plan-parts.service.js';
import { fixedChargeAnswer, fixedChargeJson } from './plan.mapping.js';

const fixedChargeBody = wrapped(
  'fixed_charge',
  z.object({ ...fixedChargeFields, ...cascadeUpdates }).meta({ id: 'PlanFixedChargeInput' }),
);
const fixedChargeDeletionBody = deletionBody('fixed_charge');
const listQuery = z.object(pageQuery);

/** The fixed charges of a plan, one by one. */
@ApiTags('plans')
@Controller('api/v1/plans/:code/fixed_charges')
export class PlanFixedChargesController {
  constructor(private readonly parts: PlanPartsService) {}

  @CreateRoute('', 'fixed_charge', fixedChargeAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Body({ schema: fixedChargeBody }) { fixed_charge: input }: z.infer<typeof fixedChargeBody>,
  ) {
    const cascade = isCascading(input);
    const { view, part } = await this.parts.createFixedCharge(organizationId, planCode, input, { cascade });
    return { fixed_charge: fixedChargeJson(view, part) };
  }

  @ListRoute('', 'fixed_charges', fixedChargeAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    const view = await this.parts.read(organizationId, planCode);
    return {
      fixed_charges: pageOf(view.fixedCharges, query).map((one) => fixedChargeJson(view, one)),
      meta: metaOf(query, view.fixedCharges.length),
    };
  }

  @ReadRoute(':fixed_charge_code', 'fixed_charge', fixedChargeAnswer)
  async read(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('fixed_charge_code') code: string,
  ) {
    const view = await this.parts.read(organizationId, planCode);
    return { fixed_charge: fixedChargeJson(view, findFixedCharge(view, null, { code })) };
  }

  @UpdateRoute(':fixed_charge_code', 'fixed_charge', fixedChargeAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('fixed_charge_code') code: string,
    @Body({ schema: fixedChargeBody }) { fixed_charge: input }: z.infer<typeof fixedChargeBody>,
  ) {
    const cascade = isCascading(input);
    const { view, part } = await this.parts.updateFixedCharge(organizationId, planCode, code, input, { cascade });
    return { fixed_charge: fixedChargeJson(view, part) };
  }

  @DeleteRoute(':fixed_charge_code', 'fixed_charge', fixedChargeAnswer)
  async delete(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') planCode: string,
    @Param('fixed_charge_code') code: string,
    @Query({ schema: deletionQuery }) query: Deletion,
    @Body({ schema: fixedChargeDeletionBody }) body: z.infer<typeof fixedChargeDeletionBody>,
  ) {
    const cascade = isCascading(query, body.fixed_charge);
    const { view, part } = await this.parts.deleteFixedCharge(organizationId, planCode, code, { cascade });
    return { fixed_charge: fixedChargeJson(view, part) };
  }
}
