/** Soft: the same card may say yes on another day. Hard: it will not, a new payment method is needed. */
export type Hardness = 'soft' | 'hard';

export interface DeclineSignals {
  /** The gateway's decline code, in Stripe's words. */
  readonly declineCode: string;
  /** The gateway's advice: `confirm_card_data`, `do_not_try_again`, `try_again_later`. */
  readonly adviceCode?: string | null;
  /** The issuer's two-character answer as the network carried it, e.g. `51`. */
  readonly networkDeclineCode?: string | null;
  /** Mastercard's merchant advice code, e.g. `03`. */
  readonly networkAdviceCode?: string | null;
}

/**
 * Which declines end the ladder. Another try with the same card costs a fee per attempt at the networks and never succeeds.
 * The raw codes are kept on each payment, so a later version can classify old attempts anew.
 *
 * Sources: docs.stripe.com/declines/codes (meaning of each code) and docs.stripe.com/declines/card (advice codes);
 * Visa's category 1, "issuer will never approve", and Mastercard's merchant advice codes 03 and 21, "do not try again", as
 * published by acquirers (checkout.com, TabaPay, Peach Payments).
 */
export const declineTable = {
  version: 1,
  hard: new Set([
    // The card is gone, blocked or was never one.
    'lost_card',
    'stolen_card',
    'pickup_card',
    'restricted_card',
    'expired_card',
    'incorrect_number',
    'invalid_number',
    'invalid_account',
    'new_account_information_available',
    // The holder or the issuer has forbidden this kind of charge.
    'revocation_of_authorization',
    'revocation_of_all_authorizations',
    'stop_payment_order',
    'transaction_not_allowed',
    'card_not_supported',
    'currency_not_supported',
    'service_not_allowed',
    'not_permitted',
    'security_violation',
    'do_not_try_again',
    // The data stored with the card is wrong: without new data the answer stays the same.
    'incorrect_cvc',
    'invalid_cvc',
    'invalid_expiry_month',
    'invalid_expiry_year',
    'incorrect_zip',
    'incorrect_address',
    // Risk: a repeated try makes it worse.
    'fraudulent',
    'highest_risk_level',
    'merchant_blacklist',
    // Only the cardholder can go on.
    'authentication_required',
    'authentication_abandoned',
    // Given by our gateways themselves: there is no usable method, or the amount cannot be charged at all.
    'payment_method_unavailable',
    'amount_too_small',
    'amount_too_large',
    'canceled',
  ]),
  hardAdvice: new Set(['do_not_try_again', 'confirm_card_data']),
  hardNetworkDecline: new Set(['04', '07', '12', '14', '15', '41', '43', '46', '57', 'R0', 'R1', 'R3']),
  hardNetworkAdvice: new Set(['03', '21']),
} as const;

/** A code that the table does not name is soft: an unknown word must not end collection silently. */
export function classifyDecline(signals: DeclineSignals): Hardness {
  const never =
    declineTable.hard.has(signals.declineCode) ||
    declineTable.hardAdvice.has(signals.adviceCode ?? '') ||
    declineTable.hardNetworkDecline.has(signals.networkDeclineCode ?? '') ||
    declineTable.hardNetworkAdvice.has(signals.networkAdviceCode ?? '');
  return never ? 'hard' : 'soft';
}
