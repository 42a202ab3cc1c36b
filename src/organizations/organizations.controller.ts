import { Body, Controller } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Database, type EntityManager } from '../platform/database/database.js';
import { ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { Organization } from './api-key.guard.js';
import type { AuthenticatedOrganization } from './api-keys.js';
import { OrganizationEntity } from './organization.entity.js';
import { applyChanges, updateBody } from './organization-input.js';
import { organizationAnswer, organizationJson } from './organization.mapping.js';
import { GraceOfOrganization, LivesOfOrganization } from './ports.js';
import { TaxEntity } from './tax.entity.js';

/** The organization whose key is used. */
@ApiTags('organizations')
@Controller('api/v1/organizations')
export class OrganizationsController {
  constructor(
    private readonly database: Database,
    private readonly grace: GraceOfOrganization,
    private readonly lives: LivesOfOrganization,
  ) {}

  @ReadRoute('', 'organization', organizationAnswer)
  async read(@Organization() { organizationId }: AuthenticatedOrganization) {
    return this.database.tenant(organizationId, (em) => answer(em, organizationId));
  }

  @UpdateRoute('', 'organization', organizationAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: updateBody }) { organization: input }: z.infer<typeof updateBody>,
  ) {
    const { customers, tell } = await this.database.tenant(organizationId, async (em) => {
      const row = await em.findOneOrFail(OrganizationEntity, { id: organizationId });
      const graceBefore = row.invoiceGracePeriod;
      const zones = { from: row.timezone, to: input.timezone ?? row.timezone };
      applyChanges(row, input);
      row.updatedAt = new Date();
      await em.flush();
      return {
        tell: zones.from === zones.to ? null : await this.lives.organizationMoved(em, organizationId, zones),
        customers: row.invoiceGracePeriod === graceBefore ? [] : await customersInGrace(em, organizationId),
      };
    });
    await tell?.();
    for (const customerId of customers) await this.grace.graceChanged(organizationId, customerId);
    return this.database.tenant(organizationId, (em) => answer(em, organizationId));
  }
}

/** Whose drafts follow the organization's grace period, having none of their own. */
async function customersInGrace(em: EntityManager, organizationId: string): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    `select distinct c.id from customers c join invoices i on i.customer_id = c.id
      where c.organization_id = ? and c.invoice_grace_period is null and i.status = 'draft'`,
    [organizationId],
  );
  return rows.map(({ id }) => id);
}

async function answer(em: EntityManager, organizationId: string) {
  const row = await em.findOneOrFail(OrganizationEntity, { id: organizationId });
  const taxes = await em.find(
    TaxEntity,
    { organizationId, appliedToOrganization: true },
    { orderBy: { createdAt: 'asc' } },
  );
  return { organization: organizationJson(row, taxes) };
}
