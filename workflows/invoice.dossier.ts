import { lineCount, minute } from './dossier.js';
import type { InvoiceDue, InvoiceFace } from './invoice.contract.js';

/** The Current Details of the Temporal UI: one screen that says where the invoice stands and what comes next. */
export function invoiceDossier(face: InvoiceFace, due: InvoiceDue | null, now: string): string {
  const lines = [
    `### ${face.customerName} - invoice \`${face.number}\``,
    '',
    `**${face.status}, payment ${face.paymentStatus}** - ${face.total}, ${lineCount(face.lines)}`,
    '',
    `- next: ${due === null ? 'nothing is awaited' : `${dueWords[due.kind]} ${minute(due.at)} UTC`}`,
    `- issuing date: ${face.issuingDate ?? 'when finalized'}`,
    `- as of ${minute(now)} UTC`,
  ];
  if (face.attention !== null) lines.push(`- **needs attention: ${face.attention}**`);
  if (face.attempts.length > 0) {
    lines.push('', '**Payment attempts**', '');
    for (const { attempt, at, outcome } of face.attempts) lines.push(`- \`${attempt}\` ${minute(at)} UTC: ${outcome}`);
  }
  lines.push('', 'Support can: `recalculateInvoice`, `command` with refresh, finalize, void, retry_payment (updates).');
  return lines.join('\n');
}

const dueWords = {
  finalize: 'grace for late usage ends, finalization',
  collect: 'charge',
  await_payment: 'the awaited payment is asked after',
} as const;
