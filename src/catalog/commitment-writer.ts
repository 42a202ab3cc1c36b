import { randomUUID } from 'node:crypto';
import { requireTaxes } from '../organizations/index.js';
import type { EntityManager } from '../platform/database/database.js';
import { validationFailed } from '../platform/http/errors.js';
import type { WriteContext } from './charge-writer.js';
import type { CommitmentInput } from './charge.input.js';
import { MinimumCommitmentEntity } from './minimum-commitment.entity.js';

/** Sets or changes a plan's minimum commitment; null or an empty one takes it away. */
export async function writeCommitment(
  em: EntityManager,
  { plan, taxes }: WriteContext,
  input: CommitmentInput | null,
): Promise<void> {
  const existing = await em.findOne(MinimumCommitmentEntity, { planId: plan.id });
  if (input === null || Object.keys(input).length === 0) {
    if (existing !== null) em.remove(existing);
    await em.flush();
    return;
  }
  const amountCents = input.amount_cents ?? existing?.amountCents;
  if (amountCents === undefined) throw validationFailed({ amount_cents: ['value_is_mandatory'] });
  if (amountCents === 0) throw validationFailed({ amount_cents: ['value_is_out_of_range'] });
  requireTaxes(input.tax_codes ?? [], taxes);
  const now = new Date();
  const commitment =
    existing ??
    em.create(MinimumCommitmentEntity, {
      id: randomUUID(),
      organizationId: plan.organizationId,
      planId: plan.id,
      amountCents,
      taxCodes: [],
      createdAt: now,
      updatedAt: now,
    });
  commitment.amountCents = amountCents;
  if (input.invoice_display_name !== undefined) commitment.invoiceDisplayName = input.invoice_display_name;
  if (input.tax_codes != null) commitment.taxCodes = input.tax_codes;
  commitment.updatedAt = now;
  await em.flush();
}
