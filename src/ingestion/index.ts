export { EventExpressions } from './event-expressions.js';
export { EventsController } from './events.controller.js';
export { type IngestionDependencies, registerIngestion } from './ingestion.routes.js';
export { keepUsageStreams, UsagePublisher, type UsagePublisherOptions } from './usage-publisher.js';
