import { HttpException } from '@nestjs/common';
import {
  badRequest,
  HttpProblem,
  internalError,
  notFound,
  payloadTooLarge,
  unauthorized,
  unavailable,
  unsupportedMediaType,
  validationFailed,
} from './errors.js';

/**
 * The one mapping from whatever was thrown to an answer. Called by the filter, and by raw routes that have to answer
 * themselves. Only what stays a 500 is a defect, and only that is worth an error in the log.
 */
export function problemOf(error: unknown): HttpProblem {
  for (const cause of causesOf(error)) {
    const problem = ownProblem(cause) ?? httpProblem(cause) ?? postgresProblem(cause) ?? outage(cause);
    if (problem) return problem;
  }
  return internalError();
}

function ownProblem(error: object): HttpProblem | null {
  return error instanceof HttpProblem ? error : null;
}

/** Errors of Fastify (body and content type) and of Nest's router. */
function httpProblem(error: object): HttpProblem | null {
  const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown }).statusCode;
  const isHttp = error instanceof HttpException || (isText(codeOf(error)) && codeOf(error)!.startsWith('FST_'));
  if (!isHttp || typeof status !== 'number') return null;
  const message = (error as Error).message;
  switch (status) {
    case 400:
      return badRequest(message);
    case 401:
      return unauthorized();
    case 404:
      return notFound('resource');
    case 413:
      return payloadTooLarge();
    case 414:
      return badRequest('the address is too long');
    case 415:
      return unsupportedMediaType();
    case 503:
      return unavailable('shutting down');
    default:
      return status < 500 ? badRequest(message) : null;
  }
}

/** SQLSTATE is five characters; what is not listed here is a defect of ours. */
function postgresProblem(error: object): HttpProblem | null {
  const state = codeOf(error);
  if (!state || !/^[0-9A-Z]{5}$/.test(state)) return null;
  // Two requests made the same thing at once: the check before found nothing, the index did.
  if (state === '23505') return validationFailed({ [uniqueFieldOf(error)]: ['value_already_exist'] });
  // Deadlock, serialization, lock or connection limits, a server that starts or stops: the same request may pass now.
  if (/^(40001|40P01|55P03|53...|57P0[1-5]|08...|25006)$/.test(state)) return unavailable('the database is busy');
  return null;
}

/**
 * `Key (organization_id, code)=(…) already exists.` names the field last. Under row-level security Postgres keeps that to
 * itself and tells only the index, which ends in the field's name.
 */
function uniqueFieldOf(error: object): string {
  const { detail, constraint } = error as { detail?: unknown; constraint?: unknown };
  const named = /^Key \(([^)]*)\)=/
    .exec(isText(detail) ? detail : '')?.[1]
    ?.split(',')
    .at(-1)
    ?.trim();
  return named ?? /_(code|external_id)(_key)?$/.exec(isText(constraint) ? constraint : '')?.[1] ?? 'base';
}

const REFUSED = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
const NATS_OUTAGES = new Set([
  'ConnectionError',
  'ClosedConnectionError',
  'DrainingConnectionError',
  'NoRespondersError',
  'TimeoutError',
  'JetStreamNotEnabled',
  'RequestError',
]);
const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_UNAVAILABLE = 14;

/** Postgres, NATS or Temporal cannot be reached. The libraries tell so by errno, by class name or by gRPC status. */
function outage(error: object): HttpProblem | null {
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown };
  if (isText(code) && REFUSED.has(code)) return unavailable('a backing service cannot be reached');
  if (code === GRPC_UNAVAILABLE || code === GRPC_DEADLINE_EXCEEDED) return unavailable('Temporal cannot be reached');
  if (isText(name) && NATS_OUTAGES.has(name)) return unavailable('NATS cannot be reached');
  if (isText(message) && /Connection terminated|timeout exceeded when trying to connect|server closed/i.test(message)) {
    return unavailable('the database cannot be reached');
  }
  return null;
}

/** The error and what caused it, outermost first; also the parts of an AggregateError (a name with two addresses). */
function causesOf(error: unknown): object[] {
  const found: object[] = [];
  const pending = [error];
  while (pending.length > 0 && found.length < 20) {
    const next = pending.shift();
    if (typeof next !== 'object' || next === null || found.includes(next)) continue;
    found.push(next);
    const { cause, previous, errors } = next as { cause?: unknown; previous?: unknown; errors?: unknown };
    pending.push(cause, previous, ...(Array.isArray(errors) ? errors : []));
  }
  return found;
}

function codeOf(error: object): string | null {
  const { code } = error as { code?: unknown };
  return isText(code) ? code : null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
