export { InvoiceWaker } from './invoice-waker.js';
export {
  type ChargeRequest,
  GatewayConfigurationError,
  type NotFound,
  type PaymentGateway,
  type PaymentGateways,
} from './payment-gateway.js';
export { createPaymentsService, paymentGateways } from './payment-gateways.js';
export {
  type CollectionAttempt,
  type CollectionStanding,
  PaymentsService,
  type StoreFollowUp,
} from './payments.service.js';
export { sandboxCard } from './sandbox/sandbox-cards.js';
export { SandboxGateway } from './sandbox/sandbox.gateway.js';
export { registerStripeWebhook, type StripeWebhookDeps } from './stripe/stripe-webhook.route.js';
export { StripeWebhooks, type SweepResult } from './stripe/stripe-webhooks.service.js';
export { StripeGateway, type StripeGatewayOptions } from './stripe/stripe.gateway.js';
