import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** `frozenAt` is the time of its members; while advancing it walks towards `targetAt`. */
export const TestClockEntity = defineEntity({
  name: 'TestClock',
  tableName: 'test_clocks',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.uuid(),
    name: p.text(),
    frozenAt: p.datetime(3),
    targetAt: p.datetime(3),
    status: p.text(),
    failure: p.text().nullable(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
});

export type TestClockRow = InferEntity<typeof TestClockEntity>;
