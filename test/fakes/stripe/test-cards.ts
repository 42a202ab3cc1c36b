export type TestCard =
  | { readonly kind: 'approve' }
  | { readonly kind: 'process' }
  | { readonly kind: 'authenticate' }
  | {
      readonly kind: 'decline';
      readonly decline_code: string;
      readonly network_decline_code?: string;
      readonly advice_code?: string;
    };

/** Stripe's test payment methods, with the codes that Stripe returns for them (docs.stripe.com/testing). */
export const testCards: Readonly<Record<string, TestCard>> = {
  pm_card_visa: { kind: 'approve' },
  pm_card_mastercard: { kind: 'approve' },
  pm_usBankAccount_processing: { kind: 'process' },
  pm_card_authenticationRequired: { kind: 'authenticate' },
  pm_card_visa_chargeDeclined: { kind: 'decline', decline_code: 'generic_decline', advice_code: 'try_again_later' },
  pm_card_visa_chargeDeclinedInsufficientFunds: {
    kind: 'decline',
    decline_code: 'insufficient_funds',
    network_decline_code: '51',
    advice_code: 'try_again_later',
  },
  pm_card_visa_chargeDeclinedLostCard: { kind: 'decline', decline_code: 'lost_card', network_decline_code: '41' },
  pm_card_visa_chargeDeclinedDoNotTryAgain: {
    kind: 'decline',
    decline_code: 'do_not_honor',
    advice_code: 'do_not_try_again',
  },
};
