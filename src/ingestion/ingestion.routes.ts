import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { encodeEvent, encodeGroup, eventId } from '../metering/index.js';
import type { ApiKeys, AuthenticatedOrganization } from '../organizations/index.js';
import type { Database } from '../platform/database/database.js';
import { type ErrorDetails, missingRoot, validationFailed } from '../platform/http/errors.js';
import { isoSeconds } from '../platform/http/format.js';
import { problemOf } from '../platform/http/problem-of.js';
import type { Logger } from '../platform/logging/logger.js';
import { partitionOf } from '../platform/nats/usage-streams.js';
import { isoMilliseconds } from './event-time.js';
import { computedProperties, type EventExpressions } from './event-expressions.js';
import { type EventErrors, type EventInput, readEvent } from './event-input.js';
import { parseJson } from './json-body.js';
import { frozenTimes } from './test-clock-times.js';
import { MESSAGE_BYTES, type Submission, type UsagePublisher } from './usage-publisher.js';

export interface IngestionDependencies {
  readonly apiKeys: Pick<ApiKeys, 'authenticate'>;
  readonly database: Database;
  readonly expressions: Pick<EventExpressions, 'of'>;
  readonly publisher: Pick<UsagePublisher, 'submit'>;
  readonly usagePartitions: number;
  readonly logger: Logger;
}

const MOST_EVENTS = 100;
const BODY_BYTES = 4 << 20;

type AuthenticatedRequest = FastifyRequest & { organization?: AuthenticatedOrganization };

/**
 * `POST /api/v1/events` and `/events/batch` as plain Fastify routes beside Nest's: this is the one place where every
 * microsecond counts. They answer 200 only when the events are on disk in the log.
 */
export function registerIngestion(fastify: FastifyInstance, dependencies: IngestionDependencies): void {
  // A scope of its own: the parser and the error handler must not reach Nest's routes.
  fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Whatever a client calls it, it is read as JSON or refused as none.
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_BYTES }, (_request, body, done) => {
      try {
        done(null, parseJson(body as string));
      } catch (error) {
        done(error as Error);
      }
    });
    scope.setErrorHandler((error, request, reply) => answerProblem(dependencies.logger, error, request, reply));
    // Before the body is read: whoever has no key shall not make us parse megabytes.
    scope.addHook('onRequest', async (request: AuthenticatedRequest) => {
      request.organization = await dependencies.apiKeys.authenticate(request.headers.authorization);
    });
    const options = { bodyLimit: BODY_BYTES };
    scope.post('/api/v1/events', options, (request: AuthenticatedRequest, reply) =>
      acceptOne(dependencies, request.organization!, request.body, reply),
    );
    scope.post('/api/v1/events/batch', options, (request: AuthenticatedRequest, reply) =>
      acceptBatch(dependencies, request.organization!, request.body, reply),
    );
  });
}

async function acceptOne(
  dependencies: IngestionDependencies,
  organization: AuthenticatedOrganization,
  body: unknown,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const input = root(body, 'event');
  if (typeof input !== 'object' || input === null || isEmpty(input)) throw missingRoot('event');
  const read = readEvent(input);
  if ('errors' in read) throw validationFailed(read.errors);
  const [json] = await accept(dependencies, organization, [read.event], (errors) => errors[0]!);
  return reply.header('content-type', 'application/json; charset=utf-8').send(`{"event":${json}}`);
}

async function acceptBatch(
  dependencies: IngestionDependencies,
  organization: AuthenticatedOrganization,
  body: unknown,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const inputs = root(body, 'events');
  if (inputs === undefined) throw missingRoot('events');
  if (inputs === null) throw validationFailed({ events: ['no_events'] });
  if (!Array.isArray(inputs)) throw validationFailed({ events: ['value_is_invalid'] });
  if (inputs.length === 0) throw validationFailed({ events: ['no_events'] });
  if (inputs.length > MOST_EVENTS) throw validationFailed({ events: ['too_many_events'] });
  const events: EventInput[] = [];
  const errors: Record<string, EventErrors> = {};
  inputs.forEach((input, index) => {
    const read = readEvent(input);
    if ('event' in read) events.push(read.event);
    else errors[index] = read.errors;
  });
  // All or nothing.
  if (events.length < inputs.length) throw validationFailed(errors);
  const json = await accept(dependencies, organization, events, (found) => ({ ...found }));
  return reply.header('content-type', 'application/json; charset=utf-8').send(`{"events":[${json.join(',')}]}`);
}

/**
 * Logs the events and resolves to their JSON, in order. `detailsOf` words the faults of what a metric's expression should have
 * computed, by position.
 */
async function accept(
  { publisher, database, expressions, usagePartitions }: IngestionDependencies,
  { organizationId, hasTestClocks }: AuthenticatedOrganization,
  events: readonly EventInput[],
  detailsOf: (errors: Record<number, EventErrors>) => ErrorDetails,
): Promise<string[]> {
  const receivedAt = Date.now();
  const createdAt = isoSeconds(new Date(receivedAt));
  const undated = hasTestClocks ? events.filter((event) => event.timestamp === null) : [];
  const frozen =
    undated.length === 0
      ? null
      : await frozenTimes(database, organizationId, [...new Set(undated.map((event) => event.externalSubscriptionId))]);
  const byCode = await expressions.of(organizationId);
  const errors: Record<number, EventErrors> = {};
  const answers: string[] = [];
  const encoded = new Map<number, string[]>();
  for (const [position, event] of events.entries()) {
    const { externalSubscriptionId, preciseTotalAmountCents } = event;
    const id = eventId(organizationId, externalSubscriptionId, event.transactionId);
    const timestamp = event.timestamp ?? frozen?.get(externalSubscriptionId) ?? receivedAt;
    const computed = byCode.size === 0 ? event : computedProperties(event, timestamp, byCode);
    if ('errors' in computed) {
      errors[position] = computed.errors;
      continue;
    }
    const { properties } = computed;
    const transactionId = JSON.stringify(event.transactionId);
    const code = JSON.stringify(event.code);
    const subscription = JSON.stringify(externalSubscriptionId);
    const line = encodeEvent({
      id,
      transactionId,
      code,
      externalSubscriptionId: subscription,
      timestamp,
      properties,
      preciseTotalAmountCents,
    });
    const partition = partitionOf(organizationId, externalSubscriptionId, usagePartitions);
    const others = encoded.get(partition);
    if (others === undefined) encoded.set(partition, [line]);
    else others.push(line);
    // Written by hand: the properties are JSON text already. Which subscription it meets is known when it is stored.
    answers.push(
      `{"lago_id":"${id}","transaction_id":${transactionId},"lago_customer_id":null,"code":${code},` +
        `"timestamp":"${isoMilliseconds(timestamp)}","precise_total_amount_cents":` +
        `${preciseTotalAmountCents === null ? 'null' : `"${preciseTotalAmountCents}"`},"properties":${properties},` +
        `"lago_subscription_id":null,"external_subscription_id":${subscription},"created_at":"${createdAt}"}`,
    );
  }
  // All or nothing.
  for (const _ in errors) throw validationFailed(detailsOf(errors));
  const parts: Submission[] = [];
  for (const [partition, lines] of encoded) addSubmissions(parts, partition, organizationId, receivedAt, lines);
  await publisher.submit(parts);
  return answers;
}

/** One submission a partition, or several when the events would not fit into one message. */
function addSubmissions(
  parts: Submission[],
  partition: number,
  organizationId: string,
  receivedAt: number,
  lines: readonly string[],
): void {
  let start = 0;
  let bytes = 0;
  for (let i = 0; i < lines.length; i += 1) {
    const size = Buffer.byteLength(lines[i]!) + 1;
    if (i > start && bytes + size > MESSAGE_BYTES) {
      parts.push({
        partition,
        bytes,
        events: i - start,
        group: encodeGroup(organizationId, receivedAt, lines.slice(start, i)),
      });
      start = i;
      bytes = 0;
    }
    bytes += size;
  }
  const rest = start === 0 ? lines : lines.slice(start);
  parts.push({ partition, bytes, events: rest.length, group: encodeGroup(organizationId, receivedAt, rest) });
}

function root(body: unknown, key: string): unknown {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
    ? (body as Record<string, unknown>)[key]
    : undefined;
}

function isEmpty(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

function answerProblem(logger: Logger, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  if (problem.status === 500) logger.error({ err: error, url: request.url }, 'an event could not be taken in');
  return reply.status(problem.status).headers(problem.headers).send(problem.body);
}
