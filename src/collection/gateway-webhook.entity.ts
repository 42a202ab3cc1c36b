import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A gateway's notification, kept once under the gateway's own event id. */
export const GatewayWebhookEntity = defineEntity({
  name: 'GatewayWebhook',
  tableName: 'gateway_webhooks',
  properties: {
    organizationId: p.uuid().primary(),
    provider: p.text().primary(),
    eventId: p.text().primary(),
    eventType: p.text(),
    payload: p.json<Record<string, unknown>>(),
    attempts: p.integer(),
    lastError: p.text().nullable(),
    receivedAt: p.datetime(3),
    processedAt: p.datetime(3).nullable(),
  },
});

export type GatewayWebhookRow = InferEntity<typeof GatewayWebhookEntity>;
