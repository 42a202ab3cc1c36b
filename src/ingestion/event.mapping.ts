import { z } from 'zod';
import { decimalString, isoSeconds } from '../platform/http/format.js';
import { isoMilliseconds } from './event-time.js';

export const eventAnswer = z
  .object({
    lago_id: z.uuid(),
    transaction_id: z.string(),
    lago_customer_id: z.uuid().nullable(),
    code: z.string(),
    timestamp: z.iso.datetime(),
    precise_total_amount_cents: z.string().nullable(),
    properties: z.record(z.string(), z.unknown()),
    lago_subscription_id: z.uuid().nullable(),
    external_subscription_id: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Event' });

/** A stored event with the subscription that lived at its time, if any. */
export interface EventRow {
  readonly id: string;
  readonly transaction_id: string;
  readonly external_subscription_id: string;
  readonly code: string;
  readonly at_ms: number;
  readonly properties: Record<string, unknown>;
  readonly precise_total_amount_cents: string | null;
  readonly received_ms: number;
  readonly subscription_id: string | null;
  readonly customer_id: string | null;
}

export function eventJson(row: EventRow): z.infer<typeof eventAnswer> {
  return {
    lago_id: row.id,
    transaction_id: row.transaction_id,
    lago_customer_id: row.customer_id,
    code: row.code,
    timestamp: isoMilliseconds(Math.round(row.at_ms)),
    precise_total_amount_cents: decimalString(row.precise_total_amount_cents),
    properties: row.properties,
    lago_subscription_id: row.subscription_id,
    external_subscription_id: row.external_subscription_id,
    created_at: isoSeconds(new Date(Math.round(row.received_ms))),
  };
}
