import { randomUUID } from 'node:crypto';
import { type CustomerInput, profileFields } from './customer.input.js';

/** The descriptive half of a customer, as its row keeps it. */
export type CustomerProfile = {
  readonly [Field in keyof typeof profileFields]?: CustomerInput[Field];
} & {
  readonly metadata?: readonly CustomerMetadata[];
  readonly document_locale?: string | null;
  readonly provider_payment_methods?: readonly string[] | null;
  readonly sync_with_provider?: boolean | null;
  readonly finalize_zero_amount_invoice?: string | null;
};

export interface CustomerMetadata {
  readonly lago_id: string;
  readonly key: string;
  readonly value: string;
  readonly display_in_invoice: boolean;
  readonly created_at: string;
}

/** The profile after a request: what it names is taken over, the rest stays. */
export function changedProfile(current: CustomerProfile, input: CustomerInput, now: Date): CustomerProfile {
  const named = Object.keys(profileFields) as (keyof typeof profileFields)[];
  const billing = input.billing_configuration ?? {};
  const changes: CustomerProfile = {
    ...Object.fromEntries(named.map((field) => [field, input[field]])),
    metadata: input.metadata == null ? undefined : changedMetadata(current.metadata ?? [], input.metadata, now),
    document_locale: billing.document_locale,
    provider_payment_methods: billing.provider_payment_methods,
    sync_with_provider: billing.sync_with_provider,
    finalize_zero_amount_invoice: input.finalize_zero_amount_invoice,
  };
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...current, ...Object.fromEntries(given) };
}

/** The entries of the request, and only they; one that was there before keeps its id and its date. */
function changedMetadata(
  current: readonly CustomerMetadata[],
  wanted: NonNullable<CustomerInput['metadata']>,
  now: Date,
): CustomerMetadata[] {
  return wanted.map(({ id, key, value, display_in_invoice }) => {
    const same = current.find((entry) => (id == null ? entry.key === key : entry.lago_id === id));
    return {
      lago_id: same?.lago_id ?? randomUUID(),
      key,
      value,
      display_in_invoice: display_in_invoice ?? same?.display_in_invoice ?? false,
      created_at: same?.created_at ?? now.toISOString(),
    };
  });
}
