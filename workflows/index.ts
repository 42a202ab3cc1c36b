/** What the worker registers: a workflow's type is its export's name. */
export { invoice } from './invoice.workflow.js';
export { subscription } from './subscription.workflow.js';
export { testClock } from './test-clock.workflow.js';
