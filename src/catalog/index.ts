export { AddOnsController } from './add-ons.controller.js';
export { BillableMetricsController } from './billable-metrics.controller.js';
export { BillableMetricsService } from './billable-metrics.service.js';
export {
  DraftsOfPlan,
  ExpressionsOfEvents,
  FixedChargeUnits,
  MetricDefinitions,
  SubscriptionsOfPlan,
  type UnitsChange,
} from './ports.js';
export {
  chargeAnswer,
  chargeFilterAnswer,
  chargeFilterJson,
  chargeJson,
  fixedChargeAnswer,
  fixedChargeJson,
  planAnswer,
  planJson,
} from './plan.mapping.js';
export { type PlanView, planViews, subscriptionPlanViews } from './plan-view.js';
export { PlansController } from './plans.controller.js';
export { PlansService } from './plans.service.js';
export { PlanChargesController } from './plan-charges.controller.js';
export { PlanEditor } from './plan-editor.js';
export { PlanFixedChargesController } from './plan-fixed-charges.controller.js';
export { PlanMetadataController } from './plan-metadata.controller.js';
export { PlanPartsService } from './plan-parts.service.js';
