import { Body, Controller, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, DeleteRoute, PatchRoute } from '../platform/http/routes.js';
import { isMetadata, metadata } from './plan.input.js';
import { PlansService } from './plans.service.js';

const metadataBody = wrapped('metadata', metadata);
type MetadataBody = z.infer<typeof metadataBody>;
const metadataAnswer = z.record(z.string(), z.string().nullable()).nullable();

/** The key/value map of a plan: replaced by POST, extended by PATCH. */
@ApiTags('plans')
@Controller('api/v1/plans/:code/metadata')
export class PlanMetadataController {
  constructor(private readonly plans: PlansService) {}

  @CreateRoute('', 'metadata', metadataAnswer)
  async replace(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Body({ schema: metadataBody }) { metadata: given }: MetadataBody,
  ) {
    return { metadata: await this.plans.changeMetadata(organizationId, code, () => given) };
  }

  @PatchRoute('', 'metadata', metadataAnswer)
  async extend(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Body({ schema: metadataBody }) { metadata: given }: MetadataBody,
  ) {
    const extended = await this.plans.changeMetadata(organizationId, code, (current) => {
      const all = { ...current, ...given };
      if (!isMetadata(all)) throw validationFailed({ metadata: ['value_is_too_long'] });
      return all;
    });
    return { metadata: extended };
  }

  @DeleteRoute('', 'metadata', metadataAnswer)
  async clear(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return { metadata: await this.plans.changeMetadata(organizationId, code, () => null) };
  }

  @DeleteRoute(':key', 'metadata', metadataAnswer)
  async remove(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Param('key') key: string,
  ) {
    const left = await this.plans.changeMetadata(organizationId, code, (current) => {
      if (!Object.hasOwn(current, key)) throw notFound('metadata');
      return Object.fromEntries(Object.entries(current).filter(([name]) => name !== key));
    });
    return { metadata: left };
  }
}
