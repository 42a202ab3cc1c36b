import { describe, expect, it } from '@jest/globals';
import { sandboxCard } from './sandbox-cards.js';

describe('Test cards', () => {
  it.each([
    ['pm_card_visa', { kind: 'approve' }],
    ['pm_card_mastercard', { kind: 'approve' }],
    ['4242424242424242', { kind: 'approve' }],
    ['4242 4242 4242 4242', { kind: 'approve' }],
    ['pm_card_chargeDeclined', { kind: 'decline', code: 'generic_decline' }],
    ['pm_card_visa_chargeDeclined', { kind: 'decline', code: 'generic_decline' }],
    ['pm_card_chargeDeclinedInsufficientFunds', { kind: 'decline', code: 'insufficient_funds' }],
    ['pm_card_chargeDeclinedLostCard', { kind: 'decline', code: 'lost_card' }],
    ['pm_card_chargeDeclinedStolenCard', { kind: 'decline', code: 'stolen_card' }],
    ['pm_card_chargeDeclinedExpiredCard', { kind: 'decline', code: 'expired_card' }],
    ['pm_card_chargeDeclinedIncorrectCvc', { kind: 'decline', code: 'incorrect_cvc' }],
    ['pm_card_chargeDeclinedProcessingError', { kind: 'decline', code: 'processing_error' }],
    ['pm_card_authenticationRequired', { kind: 'authenticate' }],
    ['pm_card_outage', { kind: 'outage' }],
    ['4000000000000002', { kind: 'decline', code: 'generic_decline' }],
    ['4000000000009995', { kind: 'decline', code: 'insufficient_funds' }],
    ['4000002500003155', { kind: 'authenticate' }],
  ])('%s', (name, behaviour) => {
    expect(sandboxCard(name)).toMatchObject(behaviour);
  });

  it.each(['', 'visa', 'pm_card_visa2', '4111111111111111'])('"%s" is none', (name) => {
    expect(sandboxCard(name)).toBeUndefined();
  });
});
