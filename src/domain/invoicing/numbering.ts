import { invariant } from '../invariant.js';

/**
 * The prefix of an organization that chose none: first three letters of its name and last four of its id, upper case
 * (reference 2.9). Example: `Acme`, `…9f3c` -> `ACM-9F3C`.
 */
export function defaultNumberPrefix(organizationName: string, organizationId: string): string {
  const letters = Array.from(organizationName).slice(0, 3).join('');
  return `${letters}-${organizationId.slice(-4)}`.toUpperCase();
}

/** Example: `ACM-9F3C`, customer 1, invoice 2 -> `ACM-9F3C-001-002`. Numbers above 999 just get longer. */
export function invoiceNumber(prefix: string, customerSequence: number, invoiceSequence: number): string {
  return `${prefix}-${padded(customerSequence)}-${padded(invoiceSequence)}`;
}

/** Drafts have no number yet: numbers are gapless, so only finalization gives one. Example: `ACM-9F3C-DRAFT`. */
export function draftNumber(prefix: string): string {
  return `${prefix}-DRAFT`;
}

/** Numbered per billing entity. Example: `ACM-9F3C`, January 2024, 7 -> `ACM-9F3C-202401-007`. */
export function entityInvoiceNumber(prefix: string, yearMonth: string, invoiceSequence: number): string {
  invariant(/^\d{6}$/.test(yearMonth), 'The month of an invoice number is like 202401');
  return `${prefix}-${yearMonth}-${padded(invoiceSequence)}`;
}

/** Example: `ACM-9F3C-001-002`, first -> `ACM-9F3C-001-002-CN001`. */
export function creditNoteNumber(ofInvoice: string, creditNoteSequence: number): string {
  return `${ofInvoice}-CN${padded(creditNoteSequence)}`;
}

function padded(sequence: number): string {
  invariant(Number.isSafeInteger(sequence) && sequence > 0, 'Sequences count from 1');
  return String(sequence).padStart(3, '0');
}
