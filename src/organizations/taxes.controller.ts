import { randomUUID } from 'node:crypto';
import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { decimalText, optionalLongText, text } from '../platform/http/fields.js';
import { limits, metaOf, pageQuery } from '../platform/http/pagination.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { Organization } from './api-key.guard.js';
import type { AuthenticatedOrganization } from './api-keys.js';
import { DraftsOfOrganization } from './ports.js';
import { TaxEntity, type TaxRow } from './tax.entity.js';
import { taxAnswer, taxJson } from './tax.mapping.js';

const fields = {
  code: text(),
  name: text(),
  description: optionalLongText(),
  rate: decimalText({ min: 0, max: 1000 }),
  applied_to_organization: z.boolean().nullish(),
};
const createBody = wrapped('tax', z.object(fields).meta({ id: 'TaxCreateInput' }));
const updateBody = wrapped('tax', z.object(fields).partial().meta({ id: 'TaxUpdateInput' }));
const listQuery = z.object(pageQuery);

/** Rates in percent. Those applied to the organization hold wherever no customer, plan or charge names others. */
@ApiTags('taxes')
@Controller('api/v1/taxes')
export class TaxesController {
  constructor(
    private readonly database: Database,
    private readonly drafts: DraftsOfOrganization,
  ) {}

  @CreateRoute('', 'tax', taxAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: createBody }) { tax: input }: z.infer<typeof createBody>,
  ) {
    const tax = await this.database.tenant(organizationId, async (em) => {
      await requireFreeCode(em, organizationId, input.code);
      const now = new Date();
      const created = em.create(TaxEntity, {
        id: randomUUID(),
        organizationId,
        code: input.code,
        name: input.name,
        description: input.description ?? null,
        rate: input.rate,
        appliedToOrganization: input.applied_to_organization ?? false,
        createdAt: now,
        updatedAt: now,
      });
      await em.flush();
      return created;
    });
    if (tax.appliedToOrganization) await this.drafts.refreshDraftsTaxed(organizationId, null);
    return { tax: taxJson(tax) };
  }

  @ListRoute('', 'taxes', taxAnswer)
  async list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    const [taxes, count] = await this.database.tenant(organizationId, (em) =>
      em.findAndCount(TaxEntity, { organizationId }, { orderBy: { createdAt: 'desc', id: 'asc' }, ...limits(query) }),
    );
    return { taxes: taxes.map(taxJson), meta: metaOf(query, count) };
  }

  @ReadRoute(':code', 'tax', taxAnswer)
  async read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    const tax = await this.database.tenant(organizationId, (em) => findTax(em, organizationId, code));
    return { tax: taxJson(tax) };
  }

  @UpdateRoute(':code', 'tax', taxAnswer)
  async update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Body({ schema: updateBody }) { tax: input }: z.infer<typeof updateBody>,
  ) {
    const tax = await this.database.tenant(organizationId, async (em) => {
      const found = await findTax(em, organizationId, code);
      if (input.code !== undefined && input.code !== found.code) {
        await requireFreeCode(em, organizationId, input.code);
        const { code: from } = found;
        const to = input.code;
        await renameInLists(em, organizationId, from, to);
        await changeInTerms(em, organizationId, from, (codes) => codes.map((one) => (one === from ? to : one)));
        found.code = input.code;
      }
      if (input.name !== undefined) found.name = input.name;
      if (input.description !== undefined) found.description = input.description;
      if (input.rate !== undefined) found.rate = input.rate;
      if (input.applied_to_organization != null) found.appliedToOrganization = input.applied_to_organization;
      found.updatedAt = new Date();
      await em.flush();
      return found;
    });
    await this.drafts.refreshDraftsTaxed(organizationId, null);
    return { tax: taxJson(tax) };
  }

  /** What was issued keeps its copy of the tax; what is still to come is billed without it. */
  @DeleteRoute(':code', 'tax', taxAnswer)
  async delete(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    const tax = await this.database.tenant(organizationId, async (em) => {
      const found = await findTax(em, organizationId, code);
      for (const table of TABLES_WITH_TAX_CODES) {
        await em.execute(
          `update ${table} set tax_codes = array_remove(tax_codes, ?)
            where organization_id = ? and ? = any(tax_codes)`,
          [found.code, organizationId, found.code],
        );
      }
      await changeInTerms(em, organizationId, found.code, (codes) => codes.filter((code) => code !== found.code));
      em.remove(found);
      await em.flush();
      return found;
    });
    await this.drafts.refreshDraftsTaxed(organizationId, null);
    return { tax: taxJson(tax) };
  }
}

const TABLES_WITH_TAX_CODES = ['customers', 'plans', 'charges', 'add_ons', 'fixed_charges', 'minimum_commitments'];

async function renameInLists(em: EntityManager, organizationId: string, from: string, to: string): Promise<void> {
  for (const table of TABLES_WITH_TAX_CODES) {
    await em.execute(
      `update ${table} set tax_codes = array_replace(tax_codes, ?, ?)
        where organization_id = ? and ? = any(tax_codes)`,
      [from, to, organizationId, from],
    );
  }
}

/** Terms of subscriptions of their own name taxes too, wherever in them a part has its `taxCodes`. */
async function changeInTerms(
  em: EntityManager,
  organizationId: string,
  code: string,
  change: (codes: string[]) => string[],
): Promise<void> {
  const rows = await em.execute<{ subscription_id: string; difference: unknown }[]>(
    `select subscription_id, difference from subscription_terms
      where organization_id = ? and strpos(difference::text, ?) > 0`,
    [organizationId, JSON.stringify(code)],
  );
  for (const { subscription_id, difference } of rows) {
    const changed = JSON.stringify(difference, (key, value: unknown) =>
      key === 'taxCodes' && Array.isArray(value) ? change(value as string[]) : value,
    );
    await em.execute(`update subscription_terms set difference = ?::jsonb where subscription_id = ?`, [
      changed,
      subscription_id,
    ]);
  }
}

async function findTax(em: EntityManager, organizationId: string, code: string): Promise<TaxRow> {
  const tax = await em.findOne(TaxEntity, { organizationId, code });
  if (!tax) throw notFound('tax');
  return tax;
}

async function requireFreeCode(em: EntityManager, organizationId: string, code: string): Promise<void> {
  const taken = await em.count(TaxEntity, { organizationId, code });
  if (taken > 0) throw validationFailed({ code: ['value_already_exist'] });
}
