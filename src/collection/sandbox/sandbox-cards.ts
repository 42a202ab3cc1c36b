/** What a test card does, as Stripe's test cards of the same name and number do. */
export type CardBehaviour =
  | { readonly kind: 'approve' }
  | { readonly kind: 'decline'; readonly code: string; readonly message: string }
  | { readonly kind: 'authenticate' }
  /** Charges, and then the answer is lost on the way. */
  | { readonly kind: 'outage' };

const approve: CardBehaviour = { kind: 'approve' };
const authenticate: CardBehaviour = { kind: 'authenticate' };
const decline = (code: string, message: string): CardBehaviour => ({ kind: 'decline', code, message });

const declined = decline('generic_decline', 'Your card was declined.');
const insufficientFunds = decline('insufficient_funds', 'Your card has insufficient funds.');
const lostCard = decline('lost_card', 'Your card was declined: it was reported lost.');
const stolenCard = decline('stolen_card', 'Your card was declined: it was reported stolen.');
const expiredCard = decline('expired_card', 'Your card has expired.');
const incorrectCvc = decline('incorrect_cvc', "Your card's security code is incorrect.");
const processingError = decline('processing_error', 'An error occurred while processing your card.');
const incorrectNumber = decline('incorrect_number', 'Your card number is incorrect.');
const velocityExceeded = decline('card_velocity_exceeded', 'Your card has exceeded its limit of charges.');
const fraudulent = decline('fraudulent', 'Your card was declined: the risk is too high.');

/** Stripe has some names with and some without the brand; both spellings are taken for each. */
const named: Record<string, CardBehaviour> = {
  chargeDeclined: declined,
  chargeDeclinedInsufficientFunds: insufficientFunds,
  chargeDeclinedLostCard: lostCard,
  chargeDeclinedStolenCard: stolenCard,
  chargeDeclinedExpiredCard: expiredCard,
  chargeDeclinedIncorrectCvc: incorrectCvc,
  chargeDeclinedProcessingError: processingError,
  chargeDeclinedVelocityLimitExceeded: velocityExceeded,
  chargeDeclinedFraudulent: fraudulent,
  chargeCustomerFail: declined,
  authenticationRequired: authenticate,
  threeDSecure2Required: authenticate,
  threeDSecureRequired: authenticate,
};

const approvingBrands = [
  'visa',
  'visa_debit',
  'mastercard',
  'mastercard_debit',
  'mastercard_prepaid',
  'amex',
  'discover',
  'diners',
  'jcb',
  'unionpay',
];

const cards: ReadonlyMap<string, CardBehaviour> = new Map([
  ...approvingBrands.map((brand) => [`pm_card_${brand}`, approve] as const),
  ...Object.entries(named).flatMap(([name, behaviour]) => [
    [`pm_card_${name}`, behaviour] as const,
    [`pm_card_visa_${name}`, behaviour] as const,
  ]),
  ['pm_card_outage', { kind: 'outage' }],
  ['4242424242424242', approve],
  ['4000056655665556', approve],
  ['5555555555554444', approve],
  ['5200828282828210', approve],
  ['5105105105105100', approve],
  ['378282246310005', approve],
  ['6011111111111117', approve],
  ['3056930009020004', approve],
  ['3566002020360505', approve],
  ['6200000000000005', approve],
  ['4000000000000002', declined],
  ['4000000000000341', declined],
  ['4000000000009995', insufficientFunds],
  ['4000000000009987', lostCard],
  ['4000000000009979', stolenCard],
  ['4000000000000069', expiredCard],
  ['4000000000000127', incorrectCvc],
  ['4000000000000119', processingError],
  ['4242424242424241', incorrectNumber],
  ['4000000000006975', velocityExceeded],
  ['4100000000000019', fraudulent],
  ['4000002500003155', authenticate],
  ['4000002760003184', authenticate],
  ['4000003800000446', authenticate],
]);

/** By name (`pm_card_visa`) or number (`4242 4242 4242 4242`); undefined for a card that is not a test card. */
export function sandboxCard(paymentMethodId: string): CardBehaviour | undefined {
  return cards.get(paymentMethodId.replaceAll(' ', ''));
}

export function declineMessage(code: string): string {
  for (const card of cards.values()) if (card.kind === 'decline' && card.code === code) return card.message;
  return 'Your card was declined.';
}
