import { hash } from 'node:crypto';

/**
 * The id of an event, a UUID of version 8 derived from its identity (organization, subscription, transaction id). Every
 * retry of an event has the same one, so the primary key of `events` is what counts it once.
 *
 * The first 48 bits come from organization and transaction id alone: all events of a transaction id lie next to each other
 * in that key, and looking one up needs no second index.
 */
export function eventId(organizationId: string, externalSubscriptionId: string, transactionId: string): string {
  const head = transactionHead(organizationId, transactionId);
  // No part can hold a NUL, so that no two identities give the same text.
  const rest = hash('sha256', `${organizationId}\0${externalSubscriptionId}\0${transactionId}`, 'hex');
  const variant = '89ab'.charAt(Number.parseInt(rest.charAt(3), 16) & 3);
  return `${head.slice(0, 8)}-${head.slice(8)}-8${rest.slice(0, 3)}-${variant}${rest.slice(4, 7)}-${rest.slice(7, 19)}`;
}

/** The range of ids, both ends included, in which the events of a transaction id lie (beside rare strangers). */
export function eventIdRange(organizationId: string, transactionId: string): { first: string; last: string } {
  const head = transactionHead(organizationId, transactionId);
  const start = `${head.slice(0, 8)}-${head.slice(8)}`;
  return { first: `${start}-0000-0000-000000000000`, last: `${start}-ffff-ffff-ffffffffffff` };
}

function transactionHead(organizationId: string, transactionId: string): string {
  return hash('sha256', `${organizationId}\0${transactionId}`, 'hex').slice(0, 12);
}
