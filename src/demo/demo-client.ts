import { setTimeout as sleep } from 'node:timers/promises';

export interface Fee {
  item: {
    type: string;
    code: string;
    name: string;
    invoice_display_name: string | null;
    filter_invoice_display_name: string | null;
  };
  external_subscription_id: string | null;
  units: string;
  amount_cents: number;
  amount_currency: string;
}

export interface Invoice {
  lago_id: string;
  number: string;
  issuing_date: string | null;
  status: string;
  payment_status: string;
  currency: string;
  fees_amount_cents: number;
  taxes_amount_cents: number;
  total_amount_cents: number;
  total_paid_amount_cents: number;
  customer: { external_id: string; name: string; applicable_timezone: string };
  billing_periods: { charges_from_datetime: string | null; charges_to_datetime: string | null }[];
  fees: Fee[];
}

interface Page<T> {
  readonly rows: T[];
  readonly next: number | null;
}

/** What a customer of Billow would write: plain HTTP with an API key. The demo knows no other way in. */
export class DemoClient {
  private constructor(
    readonly url: string,
    readonly apiKey: string,
    readonly organizationId: string,
  ) {}

  /** A new organization; returns the client of its key. */
  static async ofNewOrganization(url: string, adminToken: string, name: string): Promise<DemoClient> {
    const admin = new DemoClient(url, adminToken, '');
    const made = await admin.post<{ api_key: string; organization: { lago_id: string } }>('/admin/organizations', {
      organization: { name },
    });
    return new DemoClient(url, made.api_key, made.organization.lago_id);
  }

  get<T>(path: string): Promise<T> {
    return this.ask('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.ask('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.ask('DELETE', path);
  }

  /** Moves the clock and waits until everything due up to then has happened. Moving it to its present time only settles. */
  async advance(clockId: string, to: number): Promise<void> {
    await this.post(`/api/v1/test_clocks/${clockId}/advance`, {
      test_clock: { frozen_time: new Date(to).toISOString() },
    });
    for (;;) {
      const { test_clock: clock } = await this.get<{ test_clock: { status: string } }>(
        `/api/v1/test_clocks/${clockId}`,
      );
      if (clock.status === 'ready') return;
      if (clock.status !== 'advancing') throw new Error(`The test clock stopped: ${JSON.stringify(clock)}`);
      await sleep(30);
    }
  }

  /** Every invoice with its fees, oldest first. */
  async invoices(filter = ''): Promise<Invoice[]> {
    const listed: Invoice[] = [];
    for (let page: number | null = 1; page !== null;) {
      const { rows, next }: Page<Invoice> = await this.page(`/api/v1/invoices?per_page=100&page=${page}${filter}`);
      listed.push(...rows);
      page = next;
    }
    const full = await inParallel(listed.reverse(), 8, ({ lago_id: id }) =>
      this.get<{ invoice: Invoice }>(`/api/v1/invoices/${id}`),
    );
    return full.map(({ invoice }) => invoice);
  }

  /** The invoices of a customer as listed, newest first, without their fees. */
  async latestInvoices(customerId: string): Promise<Invoice[]> {
    const { rows } = await this.page(`/api/v1/invoices?external_customer_id=${customerId}&per_page=5`);
    return rows;
  }

  private async page(path: string): Promise<Page<Invoice>> {
    const { invoices, meta } = await this.get<{ invoices: Invoice[]; meta: { next_page: number | null } }>(path);
    return { rows: invoices, next: meta.next_page };
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    for (;;) {
      const response = await fetch(this.url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.apiKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as T;
      // Back-pressure: the same request again is safe, events carry their transaction id.
      if (response.status !== 503)
        throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`);
      await sleep(1000 * Number(response.headers.get('retry-after') ?? 1));
    }
  }
}

/** The results in order of the inputs, with at most `width` under way. */
export async function inParallel<T, R>(
  inputs: readonly T[],
  width: number,
  work: (input: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array<R>(inputs.length);
  let next = 0;
  const takeTurns = async () => {
    for (let index = next++; index < inputs.length; index = next++) results[index] = await work(inputs[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(width, inputs.length) }, takeTurns));
  return results;
}
