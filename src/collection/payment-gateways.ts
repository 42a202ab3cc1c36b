import type { Config } from '../platform/config.js';
import type { Database } from '../platform/database/database.js';
import { OrganizationEntity } from '../organizations/organization.entity.js';
import type { PaymentGateways } from './payment-gateway.js';
import { PaymentsService } from './payments.service.js';
import { SandboxGateway } from './sandbox/sandbox.gateway.js';
import { StripeGateway } from './stripe/stripe.gateway.js';

/** Every gateway that a customer's `payment_provider` can name. */
export function paymentGateways(database: Database, config: Pick<Config, 'stripeApiBase'>): PaymentGateways {
  const stripe = new StripeGateway({
    apiBase: config.stripeApiBase,
    secretKeyOf: async (organizationId) => {
      const organization = await database.tenant(organizationId, (em) =>
        em.findOneOrFail(OrganizationEntity, { id: organizationId }),
      );
      return organization.stripeSecretKey ?? null;
    },
  });
  const sandbox = new SandboxGateway(database);
  return new Map([stripe, sandbox].map((gateway) => [gateway.name, gateway]));
}

export function createPaymentsService(
  database: Database,
  config: Pick<Config, 'stripeApiBase' | 'collectionRetryDays'>,
): PaymentsService {
  return new PaymentsService(database, paymentGateways(database, config), { days: config.collectionRetryDays });
}
