import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Stripe from 'stripe';
import { parseForm, type FormValue } from './form.js';
import { type TestCard, testCards } from './test-cards.js';

export interface FakeIntent {
  readonly id: string;
  readonly object: 'payment_intent';
  readonly amount: number;
  readonly currency: string;
  readonly customer: string | null;
  readonly created: number;
  readonly metadata: Record<string, string>;
  readonly description: string | null;
  status: 'succeeded' | 'requires_payment_method' | 'requires_action' | 'processing' | 'canceled';
  payment_method: string | null;
  last_payment_error: Record<string, unknown> | null;
  next_action: Record<string, unknown> | null;
  cancellation_reason: string | null;
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly idempotencyKey: string | undefined;
  readonly authorization: string | undefined;
  readonly form: Record<string, FormValue>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Account {
  readonly intents: FakeIntent[];
  readonly customers: Map<string, { id: string; defaultMethod: string | null; methods: string[] }>;
  readonly answers: Map<string, { fingerprint: string; answer: Answer }>;
}

/**
 * Stripe as far as we use it, with a memory: payment intents, customers, idempotency keys and the test payment methods.
 * Books are kept per secret key. Trouble is ordered beforehand: `loseAnswers(n)` charges and then cuts the connection.
 */
export class StripeFake {
  readonly requests: RecordedRequest[] = [];
  private readonly accounts = new Map<string, Account>();
  private lost = 0;
  private failing: { times: number; status: number } = { times: 0, status: 500 };
  private holding: (() => void) | undefined;
  private readonly held: (() => void)[] = [];
  private quickHolder: (() => void) | undefined;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<StripeFake> {
    const server = createServer((request, response) => void fake.serve(request, response));
    const fake = new StripeFake(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.releaseAnswers();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** The next `times` answers to a POST are lost on the way back; what they did stays done. */
  loseAnswers(times: number): void {
    this.lost = times;
  }

  /** The next `times` requests are answered with an error before anything is done. */
  failRequests(times: number, status = 500): void {
    this.failing = { times, status };
  }

  /**
   * The next POST is carried out and its answer kept back, as on a slow line: the moment in which a caller can be killed.
   * Resolves when it is reached; `releaseAnswers` sends what was kept.
   */
  holdNextAnswer(): Promise<void> {
    return new Promise((reached) => (this.holding = reached));
  }

  releaseAnswers(): void {
    for (const release of this.held.splice(0)) release();
  }

  /** Runs right before the next cancellation is looked at: somebody else was quicker. */
  beforeNextCancel(action: () => void): void {
    this.quickHolder = action;
  }

  addCustomer(secretKey: string, id: string, methods: string[] = [], defaultMethod: string | null = null): void {
    this.account(secretKey).customers.set(id, { id, defaultMethod, methods });
  }

  intents(secretKey: string): readonly FakeIntent[] {
    return this.account(secretKey).intents;
  }

  /** What has really been taken from cards. */
  charged(secretKey: string): readonly FakeIntent[] {
    return this.intents(secretKey).filter((intent) => intent.status === 'succeeded');
  }

  /** The cardholder completes a payment that waited for authentication, or the bank answers one that was processing. */
  complete(secretKey: string, intentId: string): FakeIntent {
    const intent = this.intents(secretKey).find(({ id }) => id === intentId);
    if (intent === undefined) throw new Error(`The fake has no intent ${intentId}`);
    intent.status = 'succeeded';
    intent.last_payment_error = null;
    intent.next_action = null;
    return intent;
  }

  /** An event about an intent as it is now, or as `status` says it was. */
  event(type: string, intent: FakeIntent, eventId = newId('evt')): Record<string, unknown> {
    return {
      id: eventId,
      object: 'event',
      api_version: '2026-10-28.endive',
      created: Math.floor(Date.now() / 1000),
      type,
      data: { object: { ...intent } },
    };
  }

  /** Body and headers as Stripe sends them; `at` in seconds, for a signature that is too old. */
  signed(
    event: Record<string, unknown>,
    secret: string,
    at?: number,
  ): { body: string; headers: Record<string, string> } {
    const body = JSON.stringify(event, null, 2);
    const signature = Stripe.webhooks.generateTestHeaderString({
      payload: body,
      secret,
      ...(at === undefined ? {} : { timestamp: at }),
    });
    return { body, headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature } };
  }

  async sendWebhook(url: string, event: Record<string, unknown>, secret: string): Promise<Response> {
    const { body, headers } = this.signed(event, secret);
    return fetch(url, { method: 'POST', body, headers });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', this.url);
    const method = request.method ?? 'GET';
    const form = parseForm(method === 'GET' ? url.search.slice(1) : Buffer.concat(chunks).toString());
    const idempotencyKey = header(request, 'idempotency-key');
    const authorization = header(request, 'authorization');
    this.requests.push({ method, path: url.pathname, idempotencyKey, authorization, form });

    if (this.failing.times > 0) {
      this.failing.times -= 1;
      return send(response, refusal(this.failing.status, 'api_error', 'Something went wrong on our end.'));
    }
    if (url.pathname.endsWith('/cancel')) {
      this.quickHolder?.();
      this.quickHolder = undefined;
    }
    const secretKey = authorization?.replace('Bearer ', '') ?? '';
    const answer = this.once(secretKey, idempotencyKey, method, url.pathname, form);
    if (method === 'POST' && this.lost > 0) {
      this.lost -= 1;
      request.socket.destroy();
      return;
    }
    if (method === 'POST' && this.holding !== undefined) {
      const reached = this.holding;
      this.holding = undefined;
      const released = new Promise<void>((resolve) => this.held.push(resolve));
      reached();
      await released;
    }
    send(response, answer);
  }

  /** One key, one execution: a repeated key gets the first answer again, errors included. */
  private once(
    secretKey: string,
    key: string | undefined,
    method: string,
    path: string,
    form: Record<string, FormValue>,
  ): Answer {
    if (!secretKey.startsWith('sk_test_')) {
      return refusal(401, 'invalid_request_error', `Invalid API Key provided: ${secretKey.slice(0, 4)}****`);
    }
    const account = this.account(secretKey);
    if (method !== 'POST' || key === undefined) return route(account, method, path, form);
    const fingerprint = JSON.stringify([path, form]);
    const earlier = account.answers.get(key);
    if (earlier !== undefined && earlier.fingerprint !== fingerprint) {
      const message = `Keys for idempotent requests can only be used with the same parameters they were first used with.`;
      return refusal(400, 'idempotency_error', message);
    }
    const answer = earlier?.answer ?? snapshot(route(account, method, path, form));
    account.answers.set(key, { fingerprint, answer });
    return answer;
  }

  private account(secretKey: string): Account {
    let account = this.accounts.get(secretKey);
    if (account === undefined) {
      account = { intents: [], customers: new Map(), answers: new Map() };
      this.accounts.set(secretKey, account);
    }
    return account;
  }
}

function route(account: Account, method: string, path: string, form: Record<string, FormValue>): Answer {
  const [, , collection, id, action] = path.split('/');
  if (collection === 'customers') return customerRoute(account, id ?? '', action);
  if (collection !== 'payment_intents')
    return refusal(404, 'invalid_request_error', `Unrecognized request URL ${path}`);
  if (id === undefined) return method === 'POST' ? create(account, form) : list(account, form);

  const intent = account.intents.find((candidate) => candidate.id === id);
  if (intent === undefined) {
    return refusal(404, 'invalid_request_error', `No such payment_intent: '${id}'`, {
      code: 'resource_missing',
      param: 'intent',
    });
  }
  if (method === 'GET') return { status: 200, body: intent };
  if (action === 'confirm') return confirm(intent, text(form['payment_method']) ?? intent.payment_method ?? '', false);
  if (action === 'cancel') return cancel(intent, text(form['cancellation_reason']));
  return refusal(404, 'invalid_request_error', `Unrecognized request URL ${path}`);
}

function create(account: Account, form: Record<string, FormValue>): Answer {
  for (const param of ['amount', 'currency']) {
    if (form[param] === undefined) {
      const details = { code: 'parameter_missing', param };
      return refusal(400, 'invalid_request_error', `Missing required param: ${param}.`, details);
    }
  }
  const amount = Number(text(form['amount']));
  if (!Number.isSafeInteger(amount)) {
    return refusal(400, 'invalid_request_error', `Invalid integer: ${String(form['amount'])}`, { param: 'amount' });
  }
  if (amount < 50) {
    const details = { code: 'amount_too_small', param: 'amount' };
    return refusal(400, 'invalid_request_error', 'Amount must be at least $0.50 usd', details);
  }
  const customer = text(form['customer']) ?? null;
  if (customer !== null && !account.customers.has(customer)) {
    const details = { code: 'resource_missing', param: 'customer' };
    return refusal(400, 'invalid_request_error', `No such customer: '${customer}'`, details);
  }
  const method = text(form['payment_method']) ?? '';
  if (testCards[method] === undefined) {
    const details = { code: 'resource_missing', param: 'payment_method' };
    return refusal(400, 'invalid_request_error', `No such PaymentMethod: '${method}'`, details);
  }
  const intent: FakeIntent = {
    id: newId('pi'),
    object: 'payment_intent',
    amount,
    currency: text(form['currency']) ?? '',
    customer,
    created: Math.floor(Date.now() / 1000),
    metadata: (form['metadata'] ?? {}) as Record<string, string>,
    description: text(form['description']) ?? null,
    status: 'requires_payment_method',
    payment_method: null,
    last_payment_error: null,
    next_action: null,
    cancellation_reason: null,
  };
  account.intents.unshift(intent);
  return text(form['confirm']) === 'true'
    ? confirm(intent, method, text(form['off_session']) === 'true')
    : { status: 200, body: intent };
}

function confirm(intent: FakeIntent, method: string, offSession: boolean): Answer {
  const card: TestCard = testCards[method] ?? { kind: 'decline', decline_code: 'generic_decline' };
  switch (card.kind) {
    case 'approve':
      intent.status = 'succeeded';
      intent.payment_method = method;
      intent.last_payment_error = null;
      return { status: 200, body: intent };
    case 'process':
      intent.status = 'processing';
      intent.payment_method = method;
      return { status: 200, body: intent };
    case 'authenticate':
      if (offSession) {
        return cardError(intent, method, { code: 'authentication_required', decline_code: 'authentication_required' });
      }
      intent.status = 'requires_action';
      intent.payment_method = method;
      intent.next_action = {
        type: 'redirect_to_url',
        redirect_to_url: { url: `https://hooks.stripe.com/3d_secure?client_secret=${intent.id}_secret` },
      };
      return { status: 200, body: intent };
    case 'decline': {
      const { kind: _, ...signals } = card;
      return cardError(intent, method, { code: 'card_declined', ...signals });
    }
  }
}

function cardError(intent: FakeIntent, method: string, signals: Record<string, string>): Answer {
  const error = { type: 'card_error', message: 'Your card was declined.', payment_method: { id: method }, ...signals };
  intent.status = 'requires_payment_method';
  intent.last_payment_error = error;
  return { status: 402, body: { error: { ...error, payment_intent: intent } } };
}

function cancel(intent: FakeIntent, reason: string | undefined): Answer {
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    const message = `You cannot cancel this PaymentIntent because it has a status of ${intent.status}.`;
    return refusal(400, 'invalid_request_error', message, { code: 'payment_intent_unexpected_state' });
  }
  intent.status = 'canceled';
  intent.cancellation_reason = reason ?? null;
  return { status: 200, body: intent };
}

/** Newest first, as Stripe lists. */
function list(account: Account, form: Record<string, FormValue>): Answer {
  const created = form['created'] as Record<string, string> | undefined;
  const limit = Number(text(form['limit']) ?? 10);
  const after = text(form['starting_after']);
  const matching = account.intents.filter(
    (intent) =>
      (form['customer'] === undefined || intent.customer === form['customer']) &&
      (created?.['gte'] === undefined || intent.created >= Number(created['gte'])),
  );
  const from = after === undefined ? 0 : matching.findIndex(({ id }) => id === after) + 1;
  const data = matching.slice(from, from + limit);
  const body = { object: 'list', url: '/v1/payment_intents', has_more: from + limit < matching.length, data };
  return { status: 200, body };
}

function customerRoute(account: Account, id: string, action: string | undefined): Answer {
  const customer = account.customers.get(id);
  if (customer === undefined) {
    const details = { code: 'resource_missing', param: 'id' };
    return refusal(404, 'invalid_request_error', `No such customer: '${id}'`, details);
  }
  if (action === 'payment_methods') {
    const data = customer.methods.map((method) => ({ id: method, object: 'payment_method', type: 'card' }));
    return { status: 200, body: { object: 'list', url: `/v1/customers/${id}/payment_methods`, has_more: false, data } };
  }
  const settings = { default_payment_method: customer.defaultMethod };
  return { status: 200, body: { id, object: 'customer', default_source: null, invoice_settings: settings } };
}

function refusal(status: number, type: string, message: string, details: Record<string, string> = {}): Answer {
  return { status, body: { error: { type, message, ...details } } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': newId('req') });
  response.end(JSON.stringify(body));
}

/** The stored answer is the one of then, whatever becomes of the intent. */
function snapshot(answer: Answer): Answer {
  return structuredClone(answer);
}

function text(value: FormValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('hex')}`;
}
