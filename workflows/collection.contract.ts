export type CollectionResultKind =
  'paid' | 'declined' | 'action_required' | 'processing' | 'unknown' | 'nothing_to_collect' | 'no_gateway';

/**
 * How an attempt to collect ended. Every kind is an expected outcome; outages of our own parts are exceptions.
 *
 * - `declined`: with `retryAt`, the next try at that instant; without, a new payment method or a person is needed;
 * - `action_required`, `processing`, `unknown`: undecided; at `retryAt` ask again with the same ordinal, which asks the
 *   gateway and does not charge again;
 * - `no_gateway`: nobody can be asked (no provider, no method, or the gateway refuses our configuration); `message` says
 *   what to repair. The invoice stays pending.
 */
export interface CollectionResult {
  readonly kind: CollectionResultKind;
  /** The ordinal this result is about; an undecided earlier attempt is settled before a new one is made. */
  readonly attempt: number;
  /** The ordinal to collect with next, at `retryAt` or when a person asks for it. */
  readonly nextAttempt: number;
  readonly retryAt: string | null;
  readonly declineCode: string | null;
  readonly message: string | null;
  /** One line for people: `Declined 129.00 EUR (insufficient_funds), next try 2024-03-04 00:00 UTC`. */
  readonly summary: string;
}
