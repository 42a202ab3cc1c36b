export type { AdvanceUsageNotifier, UsageInAdvance } from './advance-usage.js';
export { type Cutoff, CutoffBarrier } from './cutoff-barrier.js';
export { eventId, eventIdRange } from './event-identity.js';
export type { LateUsageNotice, LateUsageNotifier } from './late-usage.js';
export { lockAdvanceBilling, lockPartitionShared, partitionLockKey } from './locks.js';
export { meterForStore } from './metered-row.js';
export { MetricDefinitions } from './metric-definitions.js';
export { type ConsumerCounts, UsageConsumer, type UsageNotifier } from './usage-consumer.js';
export { encodeEvent, encodeGroup, encodeMessage, type EventJson } from './usage-message.js';
export {
  type SliceRequest,
  type TransactionBounds,
  type TransactionsRequest,
  type UsageGroup,
  UsageReader,
  type UsageRange,
  type UsageRequest,
  type UsageSlice,
  type WeighedRange,
} from './usage-reader.js';
export { readWatermarks } from './watermarks.js';
export { type UsageDifference, type UsageVerification, verifyUsage, type VerifyUsageOptions } from './verify.js';
