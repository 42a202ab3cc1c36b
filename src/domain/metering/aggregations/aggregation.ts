import type { Instant } from '../../calendar/instant.js';
import type { Decimal } from '../../money/decimal.js';
import type { MeteredEvent } from '../metered-event.js';
import type { PartialAggregate } from '../partial-aggregate.js';

/** The time that is aggregated, where an aggregation depends on it. */
export interface AggregatedSpan {
  readonly from: Instant;
  readonly to: Instant;
  /** Days of the full period. */
  readonly periodDays: number;
  /** The level that recurring usage had reached before `from`. */
  readonly carriedLevel?: Decimal;
}

/** One way to turn events into units. `observe` sees counted events only. */
export interface Aggregation {
  /** What one event adds to a partial; its event count is kept by the caller. */
  readonly observe: (event: MeteredEvent) => Omit<Partial<PartialAggregate>, 'kind' | 'eventsCount'>;
  /** Units of a period, before rounding. */
  readonly units: (partial: PartialAggregate, span?: AggregatedSpan) => Decimal;
}
