import { randomUUID } from 'node:crypto';
import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import {
  type AuthenticatedOrganization,
  Organization,
  requireTaxes,
  type TaxRow,
  taxAnswer,
  taxesByCode,
  taxesOf,
  taxJson,
} from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { notFound, validationFailed } from '../platform/http/errors.js';
import { cents, currency, optionalLongText, optionalText, text } from '../platform/http/fields.js';
import { isoSeconds } from '../platform/http/format.js';
import { limits, metaOf, pageQuery } from '../platform/http/pagination.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { AddOnEntity, type AddOnRow } from './add-on.entity.js';
import { taxCodes } from './charge.input.js';

const fields = {
  name: text(),
  invoice_display_name: optionalText(),
  code: text(),
  amount_cents: cents(),
  amount_currency: currency(),
  description: optionalLongText(),
  tax_codes: taxCodes.nullish(),
};
const createBody = wrapped('add_on', z.object(fields).meta({ id: 'AddOnCreateInput' }));
const updateBody = wrapped('add_on', z.object(fields).partial().meta({ id: 'AddOnUpdateInput' }));
const listQuery = z.object(pageQuery);

export const addOnAnswer = z
  .object({
    lago_id: z.uuid(),
    name: z.string(),
    invoice_display_name: z.string().nullable(),
    code: z.string(),
    amount_cents: z.int(),
    amount_currency: z.string(),
    created_at: z.iso.datetime(),
    description: z.string().nullable(),
    taxes: z.array(taxAnswer),
  })
  .meta({ id: 'AddOn' });

/** What is sold by the piece. The fixed charges of plans name an add-on and price it themselves. */
@ApiTags('add_ons')
@Controller('api/v1/add_ons')
export class AddOnsController {
  constructor(private readonly database: Database) {}

  @CreateRoute('', 'add_on', addOnAnswer)
  create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: createBody }) { add_on: input }: z.infer<typeof createBody>,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      await requireFreeCode(em, organizationId, input.code);
      const taxes = await taxesByCode(em, organizationId);
      requireTaxes(input.tax_codes ?? [], taxes);
      const now = new Date();
      const addOn = em.create(AddOnEntity, {
        id: randomUUID(),
        organizationId,
        code: input.code,
        name: input.name,
        invoiceDisplayName: input.invoice_display_name ?? null,
        description: input.description ?? null,
        amountCents: input.amount_cents,
        amountCurrency: input.amount_currency,
        taxCodes: input.tax_codes ?? [],
        createdAt: now,
        updatedAt: now,
      });
      await em.flush();
      return { add_on: addOnJson(addOn, taxes) };
    });
  }

  @ListRoute('', 'add_ons', addOnAnswer)
  list(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      const [addOns, count] = await em.findAndCount(
        AddOnEntity,
        { organizationId, deletedAt: null },
        { orderBy: { createdAt: 'desc', id: 'asc' }, ...limits(query) },
      );
      const taxes = await taxesByCode(em, organizationId);
      return { add_ons: addOns.map((addOn) => addOnJson(addOn, taxes)), meta: metaOf(query, count) };
    });
  }

  @ReadRoute(':code', 'add_on', addOnAnswer)
  read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return this.database.tenant(organizationId, async (em) => {
      const addOn = await findAddOn(em, organizationId, code);
      return { add_on: addOnJson(addOn, await taxesByCode(em, organizationId)) };
    });
  }

  @UpdateRoute(':code', 'add_on', addOnAnswer)
  update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('code') code: string,
    @Body({ schema: updateBody }) { add_on: input }: z.infer<typeof updateBody>,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      const addOn = await findAddOn(em, organizationId, code);
      if (input.code !== undefined && input.code !== addOn.code) await requireFreeCode(em, organizationId, input.code);
      const taxes = await taxesByCode(em, organizationId);
      requireTaxes(input.tax_codes ?? [], taxes);
      if (input.code !== undefined) addOn.code = input.code;
      if (input.name !== undefined) addOn.name = input.name;
      if (input.invoice_display_name !== undefined) addOn.invoiceDisplayName = input.invoice_display_name;
      if (input.description !== undefined) addOn.description = input.description;
      if (input.amount_cents !== undefined) addOn.amountCents = input.amount_cents;
      if (input.amount_currency !== undefined) addOn.amountCurrency = input.amount_currency;
      if (input.tax_codes != null) addOn.taxCodes = input.tax_codes;
      addOn.updatedAt = new Date();
      await em.flush();
      return { add_on: addOnJson(addOn, taxes) };
    });
  }

  /** Plans keep the fixed charges that name it; no new ones can. */
  @DeleteRoute(':code', 'add_on', addOnAnswer)
  delete(@Organization() { organizationId }: AuthenticatedOrganization, @Param('code') code: string) {
    return this.database.tenant(organizationId, async (em) => {
      const addOn = await findAddOn(em, organizationId, code);
      addOn.deletedAt = new Date();
      await em.flush();
      return { add_on: addOnJson(addOn, await taxesByCode(em, organizationId)) };
    });
  }
}

function addOnJson(addOn: AddOnRow, taxes: ReadonlyMap<string, TaxRow>): z.infer<typeof addOnAnswer> {
  return {
    lago_id: addOn.id,
    name: addOn.name,
    invoice_display_name: addOn.invoiceDisplayName ?? null,
    code: addOn.code,
    amount_cents: addOn.amountCents,
    amount_currency: addOn.amountCurrency,
    created_at: isoSeconds(addOn.createdAt),
    description: addOn.description ?? null,
    taxes: taxesOf(addOn.taxCodes, taxes).map(taxJson),
  };
}

async function findAddOn(em: EntityManager, organizationId: string, code: string): Promise<AddOnRow> {
  const addOn = await em.findOne(AddOnEntity, { organizationId, code, deletedAt: null });
  if (!addOn) throw notFound('add_on');
  return addOn;
}

async function requireFreeCode(em: EntityManager, organizationId: string, code: string): Promise<void> {
  const taken = await em.count(AddOnEntity, { organizationId, code, deletedAt: null });
  if (taken > 0) throw validationFailed({ code: ['value_already_exist'] });
}
