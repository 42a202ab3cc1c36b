export { AddOnsController } from './add-ons.controller.js';
export { BillableMetricsController } from './billable-metrics.controller.js';
export { BillableMetricsService } from './billable-metrics.service.js';
export { DraftsOfPlan, ExpressionsOfEvents, MetricDefinitions, SubscriptionsOfPlan } from './ports.js';
export { planAnswer, planJson } from './plan.mapping.js';
export { type PlanView, planViews } from './plan-view.js';
export { PlansController } from './plans.controller.js';
export { PlansService } from './plans.service.js';
