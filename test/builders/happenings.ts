import { randomUUID } from 'node:crypto';
import type { Story } from './story.js';

/** Something that happens in a story. The same one may happen twice: an event keeps its transaction id. */
export interface Happening {
  happen(story: Story): Promise<void>;
}

class Usage implements Happening {
  constructor(
    private readonly quantity: number | string,
    private readonly options: {
      readonly transactionId: string;
      readonly metric: string;
      readonly field: string;
      readonly subscription?: string;
      readonly at?: string;
    },
  ) {}

  private with(changes: Partial<Usage['options']>): Usage {
    return new Usage(this.quantity, { ...this.options, ...changes });
  }

  of = (metric: string, field = 'value') => this.with({ metric, field });
  on = (subscription: string) => this.with({ subscription });
  /** Event time, sent as Lago's clients do: unix seconds. Without it: the clock's present. */
  at = (at: string) => this.with({ at });

  async happen(story: Story): Promise<void> {
    await story.api.post('/api/v1/events', { event: this.body(story) });
  }

  body(story: Story): Record<string, unknown> {
    const { transactionId, metric, field, subscription, at } = this.options;
    return {
      transaction_id: transactionId,
      external_subscription_id: subscription ?? story.subscriptionId,
      code: metric,
      ...(at === undefined ? {} : { timestamp: (Date.parse(at) / 1000).toFixed(3) }),
      properties: { [field]: this.quantity },
    };
  }
}

export const usage = (quantity: number | string = 1) =>
  new Usage(quantity, { transactionId: randomUUID(), metric: 'tokens', field: 'value' });

/** The clock moves there, and all that is due by then happens. */
export const itIs = (instant: string): Happening => ({ happen: (story) => story.advanceTo(instant) });

export const theCardBecomes = (card: string, customer?: string): Happening => ({
  async happen(story) {
    await story.api.post('/api/v1/customers', {
      customer: {
        external_id: customer ?? story.customerId,
        billing_configuration: { provider_payment_method_id: card },
      },
    });
  },
});

export const theGraceBecomes = (days: number, customer?: string): Happening => ({
  async happen(story) {
    await story.api.post('/api/v1/customers', {
      customer: { external_id: customer ?? story.customerId, billing_configuration: { invoice_grace_period: days } },
    });
  },
});

export const itIsTerminated = (subscription?: string, query = ''): Happening => ({
  async happen(story) {
    await story.api.delete(`/api/v1/subscriptions/${subscription ?? story.subscriptionId}${query}`);
    await story.settle();
  },
});

/** The subscription is posted again with another plan. */
export const itsPlanBecomes = (
  plan: string,
  fields: Record<string, unknown> = {},
  subscription?: string,
): Happening => ({
  async happen(story) {
    await story.api.post('/api/v1/subscriptions', {
      subscription: {
        external_id: subscription ?? story.subscriptionId,
        external_customer_id: story.customerId,
        plan_code: plan,
        ...fields,
      },
    });
    await story.settle();
  },
});

const staff = (method: 'post' | 'put', command: string): Happening => ({
  async happen(story) {
    const { lago_id: id } = await story.lastInvoice();
    await story.api[method](`/api/v1/invoices/${id}/${command}`);
    await story.settle();
  },
});

/** Commands of staff on the newest invoice. */
export const staffFinalizesIt = () => staff('put', 'finalize');
export const staffRefreshesIt = () => staff('put', 'refresh');
export const staffVoidsIt = () => staff('post', 'void');
export const staffRetriesThePayment = () => staff('post', 'retry_payment');
