import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** Only the SHA-256 of a key is kept; `lastFour` lets a person tell keys apart. */
export const ApiKeyEntity = defineEntity({
  name: 'ApiKey',
  tableName: 'api_keys',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    keyHash: p.blob(),
    lastFour: p.text(),
    createdAt: p.datetime(3),
    revokedAt: p.datetime(3).nullable(),
  },
});

export type ApiKeyRow = InferEntity<typeof ApiKeyEntity>;
