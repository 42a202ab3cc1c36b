import { setTimeout as sleep } from 'node:timers/promises';

/** An answer that is not 2xx. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    readonly method: string,
    readonly path: string,
    readonly status: number,
    readonly body: string,
  ) {
    super(`${method} ${path} answered ${status}: ${body.slice(0, 500)}`);
  }
}

/** The REST API as a client with one key sees it. */
export class Api {
  constructor(
    readonly url: string,
    private readonly key: string,
  ) {}

  get<T = Json>(path: string): Promise<T> {
    return this.ask('GET', path);
  }

  post<T = Json>(path: string, body?: unknown): Promise<T> {
    return this.ask('POST', path, body);
  }

  put<T = Json>(path: string, body?: unknown): Promise<T> {
    return this.ask('PUT', path, body);
  }

  delete<T = Json>(path: string): Promise<T> {
    return this.ask('DELETE', path);
  }

  /**
   * As a gateway does it: the same request again until it is answered, whatever happens in between. A refusal (4xx) is an
   * answer, and it is thrown. Returns how often it had to ask.
   */
  async postUntilAnswered(path: string, body: string, patienceMs: number): Promise<number> {
    const until = Date.now() + patienceMs;
    for (let asked = 1; ; asked += 1) {
      try {
        const response = await this.send('POST', path, body, AbortSignal.timeout(10_000));
        const text = await response.text();
        if (response.ok) return asked;
        if (response.status < 500) throw new ApiProblem('POST', path, response.status, text);
        if (Date.now() > until) throw new ApiProblem('POST', path, response.status, text);
      } catch (error) {
        if (error instanceof ApiProblem || Date.now() > until) throw error;
      }
      await sleep(100);
    }
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.send(method, path, body === undefined ? undefined : JSON.stringify(body));
    const text = await response.text();
    if (!response.ok) throw new ApiProblem(method, path, response.status, text);
    return JSON.parse(text) as T;
  }

  private send(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Response> {
    return fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** What is not described more exactly; a test reads from it what it expects to be there. */
export type Json = Record<string, never>;

export interface FeeJson {
  readonly item: { readonly type: string; readonly code: string };
  readonly external_subscription_id: string | null;
  readonly units: string;
  readonly amount_cents: number;
  readonly amount_currency: string;
  readonly from_date: string | null;
  readonly to_date: string | null;
}

export interface InvoiceJson {
  readonly lago_id: string;
  readonly number: string;
  readonly sequential_id: number | null;
  readonly status: 'draft' | 'finalized' | 'voided';
  readonly payment_status: 'pending' | 'succeeded' | 'failed';
  readonly issuing_date: string | null;
  readonly currency: string;
  readonly fees_amount_cents: number;
  readonly taxes_amount_cents: number;
  readonly credit_notes_amount_cents: number;
  readonly total_amount_cents: number;
  readonly total_due_amount_cents: number;
  readonly total_paid_amount_cents: number;
  readonly version_number: number;
  readonly created_at: string;
  readonly billing_periods: readonly {
    readonly external_subscription_id: string;
    readonly subscription_from_datetime: string | null;
    readonly subscription_to_datetime: string | null;
    readonly charges_from_datetime: string | null;
    readonly charges_to_datetime: string | null;
    readonly invoicing_reason: string;
  }[];
  readonly fees: readonly FeeJson[];
  readonly credits: readonly { readonly amount_cents: number; readonly item: { readonly code: string } }[];
}

export interface CurrentUsageJson {
  readonly from_datetime: string;
  readonly to_datetime: string;
  readonly amount_cents: number;
  readonly charges_usage: readonly {
    readonly units: string;
    readonly events_count: number;
    readonly amount_cents: number;
    readonly billable_metric: { readonly code: string };
  }[];
}
