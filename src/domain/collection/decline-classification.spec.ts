import { describe, expect, it } from '@jest/globals';
import { classifyDecline } from './decline-classification.js';

describe('Declines', () => {
  it.each([
    ['insufficient_funds', { declineCode: 'insufficient_funds' }, 'soft'],
    ['generic_decline', { declineCode: 'generic_decline' }, 'soft'],
    ['do_not_honor', { declineCode: 'do_not_honor' }, 'soft'],
    ['processing_error', { declineCode: 'processing_error' }, 'soft'],
    ['a word nobody knows yet', { declineCode: 'brand_new_code' }, 'soft'],
    ['lost_card', { declineCode: 'lost_card' }, 'hard'],
    ['expired_card', { declineCode: 'expired_card' }, 'hard'],
    ['incorrect_cvc', { declineCode: 'incorrect_cvc' }, 'hard'],
    ['authentication_required', { declineCode: 'authentication_required' }, 'hard'],
    ['soft, with the advice to stop', { declineCode: 'do_not_honor', adviceCode: 'do_not_try_again' }, 'hard'],
    ['soft, with the advice to try later', { declineCode: 'do_not_honor', adviceCode: 'try_again_later' }, 'soft'],
    ['soft, with Visa saying never', { declineCode: 'generic_decline', networkDeclineCode: 'R1' }, 'hard'],
    ['soft, with the network saying no funds', { declineCode: 'generic_decline', networkDeclineCode: '51' }, 'soft'],
    ['soft, with Mastercard saying never', { declineCode: 'generic_decline', networkAdviceCode: '21' }, 'hard'],
    ['soft, with Mastercard saying in an hour', { declineCode: 'generic_decline', networkAdviceCode: '24' }, 'soft'],
  ])('%s', (_, signals, hardness) => {
    expect(classifyDecline(signals)).toBe(hardness);
  });
});
