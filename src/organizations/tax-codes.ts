import type { EntityManager } from '../platform/database/database.js';
import { notFound } from '../platform/http/errors.js';
import { TaxEntity, type TaxRow } from './tax.entity.js';

/** The organization's taxes by code, for showing the codes that plans, charges and customers keep. */
export async function taxesByCode(em: EntityManager, organizationId: string): Promise<ReadonlyMap<string, TaxRow>> {
  const taxes = await em.find(TaxEntity, { organizationId }, { orderBy: { createdAt: 'asc' } });
  return new Map(taxes.map((tax) => [tax.code, tax]));
}

/** @throws 404 `tax_not_found` when one of the codes is not a tax of the organization. */
export function requireTaxes(codes: readonly string[], taxes: ReadonlyMap<string, TaxRow>): void {
  if (!codes.every((code) => taxes.has(code))) throw notFound('tax');
}

export function taxesOf(codes: readonly string[], taxes: ReadonlyMap<string, TaxRow>): TaxRow[] {
  return codes.flatMap((code) => taxes.get(code) ?? []);
}
