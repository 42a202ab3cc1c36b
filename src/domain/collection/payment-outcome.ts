import type { Hardness } from './decline-classification.js';

/**
 * What became of one charge. A decline is an answer of the card's side; an unknown outcome is the lack of an answer, and
 * money may have moved. They are different kinds, so that no code can take one for the other (design, invariant 9).
 */
export type PaymentOutcome = Paid | Declined | ActionRequired | Processing | Unknown;

export interface Paid {
  readonly kind: 'paid';
  /** The gateway's id of the payment. */
  readonly paymentId: string;
}

export interface Declined {
  readonly kind: 'declined';
  readonly paymentId: string | null;
  /** The gateway's word, e.g. `insufficient_funds`; kept raw, classified by `classifyDecline`. */
  readonly declineCode: string;
  readonly hardness: Hardness;
  readonly message: string;
  readonly networkDeclineCode: string | null;
  readonly networkAdviceCode: string | null;
  readonly adviceCode: string | null;
}

/** The cardholder has to authenticate. Nothing is stored that would let anybody else complete the payment. */
export interface ActionRequired {
  readonly kind: 'action_required';
  readonly paymentId: string;
  readonly nextAction: { readonly type: string };
}

/** The gateway has it and answers later, as with bank debits. */
export interface Processing {
  readonly kind: 'processing';
  readonly paymentId: string;
}

export interface Unknown {
  readonly kind: 'unknown';
  readonly reason: string;
}
