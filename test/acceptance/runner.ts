import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

/**
 * Runs billing scenarios (JSON files: steps at instants of a test clock, each an HTTP request with what its answer has to
 * say) against a running server. Every scenario gets an organization and a test clock of its own, so that they never meet
 * and may run side by side.
 */
export interface Scenario {
  readonly id: string;
  readonly topic: string;
  readonly features: readonly string[];
  readonly organization?: Record<string, unknown>;
  readonly steps: readonly Step[];
}

interface Step {
  /** The test clock is moved there first; it never goes back. */
  readonly at?: string;
  readonly do: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'tick';
  readonly path?: string;
  readonly body?: Json;
  readonly expect?: { readonly status?: number; readonly json?: Record<string, Json> };
  /** Variable name → path in the answer. */
  readonly save?: Record<string, string>;
}

export interface ScenarioResult {
  readonly id: string;
  readonly features: readonly string[];
  readonly ok: boolean;
  readonly ms: number;
  readonly failure?: string;
}

export interface RunOptions {
  readonly url: string;
  readonly adminToken: string;
  /** How many scenarios run side by side. */
  readonly jobs: number;
  /** A reading step that does not match is asked again for so long: work outside the clock (webhooks, documents) may still run. */
  readonly settleSeconds?: number;
  /** Adds the whole answer to a failure. */
  readonly verbose?: boolean;
  readonly onResult?: (result: ScenarioResult) => void;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Saved = Map<string, Json>;

/** Scenarios of the files and folders named, in order of their names; `only` is a part of the file's name, `tag` a feature. */
export function readScenarios(paths: readonly string[], filter: { only?: string; tag?: string } = {}): Scenario[] {
  return paths
    .flatMap((path) =>
      statSync(path).isDirectory()
        ? readdirSync(path)
            .filter((file) => file.endsWith('.json'))
            .sort()
            .map((file) => join(path, file))
        : [path],
    )
    .filter((file) => basename(file).includes(filter.only ?? ''))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as Scenario)
    .filter((scenario) => filter.tag === undefined || scenario.features.includes(filter.tag));
}

/** The results in the order of the scenarios. A scenario that fails is a result; only a server nobody can reach throws. */
export async function runScenarios(scenarios: readonly Scenario[], options: RunOptions): Promise<ScenarioResult[]> {
  await assertReachable(options.url);
  const results = new Map<Scenario, ScenarioResult>();
  const queue = [...scenarios];
  const runNext = async (): Promise<void> => {
    for (let scenario = queue.shift(); scenario; scenario = queue.shift()) {
      const started = Date.now();
      const failure = await runScenario(scenario, options).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      const result: ScenarioResult = {
        id: scenario.id,
        features: scenario.features,
        ok: failure === undefined,
        ms: Date.now() - started,
        ...(failure === undefined ? {} : { failure }),
      };
      results.set(scenario, result);
      options.onResult?.(result);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, runNext));
  return scenarios.map((scenario) => results.get(scenario)!);
}

async function runScenario(scenario: Scenario, options: RunOptions): Promise<void> {
  const admin = new Client(options.url, options.adminToken);
  const { api_key: key } = (await admin.ok('POST', '/admin/organizations', {
    organization: {
      name: `${scenario.id} ${randomUUID().slice(0, 8)}`,
      ...(scenario.organization as Record<string, Json> | undefined),
    },
  })) as { api_key: string };
  const client = new Client(options.url, key);
  const clock = new ScenarioClock(client, scenario.id);
  const saved: Saved = new Map();

  for (const [index, step] of scenario.steps.entries()) {
    try {
      if (step.at !== undefined) await clock.moveTo(step.at);
      // What is read must follow from everything written: advancing to the present time settles and nothing more.
      if (step.do === 'tick' || step.do === 'GET') await clock.settle(step.do === 'tick');
      if (step.do === 'tick') continue;
      if (step.do !== 'GET') clock.somethingWasWritten();
      await runStep(step, client, clock, saved, options);
    } catch (error) {
      const where = `step ${index + 1} ${step.do} ${step.path ?? ''}${step.at ? ` at ${step.at}` : ''}`;
      throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

async function runStep(step: Step, client: Client, clock: ScenarioClock, saved: Saved, options: RunOptions) {
  const path = interpolate(step.path ?? '', saved) as string;
  const body = step.body === undefined ? undefined : clock.livesOnClock(step.do, path, interpolate(step.body, saved));
  const deadline = Date.now() + (step.do === 'GET' ? (options.settleSeconds ?? 2) * 1000 : 0);
  for (;;) {
    const answer = await client.request(step.do, path, body);
    const problem = difference(step.expect ?? { status: 200 }, answer, saved);
    if (problem === undefined) {
      for (const [name, at] of Object.entries(step.save ?? {})) {
        const value = pick(answer.json, interpolate(at, saved) as string);
        if (value === undefined) throw new Error(`nothing at ${at} to save as ${name}`);
        saved.set(name, value);
      }
      return;
    }
    if (Date.now() >= deadline) {
      throw new Error(options.verbose ? `${problem}\n${JSON.stringify(answer.json, null, 1)}` : problem);
    }
    await sleep(150);
  }
}

/** The first thing in which an answer differs from what is expected, in words. */
function difference(expected: NonNullable<Step['expect']>, answer: Answer, saved: Saved): string | undefined {
  if (expected.status !== undefined && answer.status !== expected.status) {
    return `status ${answer.status}, expected ${expected.status}: ${shortJson(answer.json, 400)}`;
  }
  for (const [rawPath, rawWanted] of Object.entries(expected.json ?? {})) {
    const path = interpolate(rawPath, saved) as string;
    const wanted = interpolate(rawWanted, saved);
    // null in a scenario stands for null or a missing key.
    const got = pick(answer.json, path) ?? null;
    if (!isDeepStrictEqual(got, wanted)) {
      return `${path} is ${shortJson(got, 300)}, expected ${JSON.stringify(wanted)}`;
    }
  }
  return undefined;
}

/** The test clock of one scenario: made at the first instant named, and asked to settle before anything is read. */
class ScenarioClock {
  private id: string | undefined;
  private now = Number.NaN;
  /** Something was written since the clock last said ready. */
  private unsettled = false;

  constructor(
    private readonly client: Client,
    private readonly name: string,
  ) {}

  async moveTo(instant: string): Promise<void> {
    const at = Date.parse(instant);
    if (this.id === undefined) {
      const made = await this.client.ok('POST', '/api/v1/test_clocks', {
        test_clock: { name: this.name, frozen_time: instant },
      });
      this.id = (made as { test_clock: { lago_id: string } }).test_clock.lago_id;
      this.now = at;
    } else if (at > this.now) {
      await this.advance(instant);
      this.now = at;
      this.unsettled = false;
    }
  }

  somethingWasWritten(): void {
    this.unsettled = true;
  }

  async settle(always: boolean): Promise<void> {
    if (!always && !this.unsettled) return;
    await this.advance(new Date(this.now).toISOString());
    this.unsettled = false;
  }

  /** A customer that is created lives on this clock unless the scenario says otherwise. */
  livesOnClock(method: string, path: string, body: Json): Json {
    if (method !== 'POST' || path !== '/api/v1/customers' || this.id === undefined) return body;
    const { customer } = body as { customer?: { [key: string]: Json } };
    if (customer === undefined) return body;
    return { customer: { ...customer, test_clock_id: customer['test_clock_id'] ?? this.id } };
  }

  private async advance(frozenTime: string): Promise<void> {
    if (this.id === undefined) throw new Error('the scenario names no instant before it settles');
    await this.client.ok('POST', `/api/v1/test_clocks/${this.id}/advance`, { test_clock: { frozen_time: frozenTime } });
    const deadline = Date.now() + 120_000;
    for (;;) {
      const { test_clock: clock } = (await this.client.ok('GET', `/api/v1/test_clocks/${this.id}`)) as {
        test_clock: { status: string };
      };
      if (clock.status === 'ready') return;
      if (clock.status !== 'advancing') throw new Error(`test clock is ${clock.status}: ${JSON.stringify(clock)}`);
      if (Date.now() > deadline) throw new Error(`test clock still advancing to ${frozenTime} after 120 s`);
      await sleep(50);
    }
  }
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

class Client {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  async request(method: string, path: string, body?: Json): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    return { status: response.status, json: parseJson(text) };
  }

  /** The body of an answer that has to be 200. */
  async ok(method: string, path: string, body?: Json): Promise<unknown> {
    const { status, json } = await this.request(method, path, body);
    if (status !== 200) throw new Error(`${method} ${path} gave ${status}: ${shortJson(json, 400)}`);
    return json;
  }
}

/**
 * What lies at a path: `a.b[0].c`, `a.length`, `a[key=value&other=value].b`. Conditions pick the one element that meets them;
 * with `.length` or `[n]` behind them, all that do. Undefined where the path leads nowhere.
 */
export function pick(json: unknown, path: string): Json | undefined {
  const tokens = path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? [];
  let here: unknown = json;
  for (const [position, token] of tokens.entries()) {
    if (here === undefined || here === null) return undefined;
    const selector = /^\[(.*)\]$/.exec(token)?.[1];
    if (selector !== undefined && !/^\d+$/.test(selector)) {
      if (!Array.isArray(here)) return undefined;
      const matches = here.filter((element) => meets(element, selector));
      const next = tokens[position + 1];
      if (next === 'length' || (next !== undefined && /^\[\d+\]$/.test(next))) here = matches;
      else if (matches.length > 1) return `(${matches.length} elements match ${token})`;
      else here = matches[0];
    } else {
      here = (here as Record<string, unknown>)[selector ?? token];
    }
  }
  return here as Json | undefined;
}

function meets(element: unknown, selector: string): boolean {
  return selector.split('&').every((condition) => {
    const equals = condition.indexOf('=');
    return String(pick(element, condition.slice(0, equals)) ?? null) === condition.slice(equals + 1);
  });
}

/** Puts saved values in the place of `${name}`; a text that is nothing but one keeps the value's type. */
function interpolate(value: Json, saved: Saved): Json {
  const valueOf = (name: string): Json => {
    const known = saved.get(name);
    if (known === undefined) throw new Error(`\${${name}} was never saved`);
    return known;
  };
  if (typeof value === 'string') {
    const whole = /^\$\{(\w+)\}$/.exec(value)?.[1];
    return whole === undefined
      ? value.replace(/\$\{(\w+)\}/g, (_, name: string) => String(valueOf(name)))
      : valueOf(whole);
  }
  if (Array.isArray(value)) return value.map((element: Json) => interpolate(element, saved));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, element]) => [key, interpolate(element as Json, saved)]),
    );
  }
  return value;
}

async function assertReachable(url: string): Promise<void> {
  await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((error: unknown) => {
    throw new ServerUnreachable(`no server at ${url}`, { cause: error });
  });
}

export class ServerUnreachable extends Error {}

function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // An answer that is not JSON is shown as it came.
    return text;
  }
}

function shortJson(json: unknown, characters: number): string {
  return (JSON.stringify(json) ?? 'nothing').slice(0, characters);
}
