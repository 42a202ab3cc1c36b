import { type ErrorCode } from './error-codes.js';

export { ERROR_CODES, type ErrorCode } from './error-codes.js';

/** Codes by field, or, for a batch, by position and then by field. */
export type ErrorDetails = Record<string, readonly ErrorCode[] | Record<string, readonly ErrorCode[]>>;

export interface ErrorBody {
  readonly status: number;
  readonly error: string;
  readonly code?: string;
  readonly error_details?: ErrorDetails;
}

/**
 * An answer that is not 200, in Lago's shape. Services throw it through the functions below; the one filter (and the
 * ingestion's raw routes) send it as it is.
 */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';

  constructor(
    readonly body: ErrorBody,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(
      `${body.status} ${body.code ?? body.error}${body.error_details ? ` ${JSON.stringify(body.error_details)}` : ''}`,
    );
  }

  get status(): number {
    return this.body.status;
  }
}

/** 400: the request cannot be read at all. */
export function badRequest(message: string): HttpProblem {
  return new HttpProblem({ status: 400, error: `BadRequest: ${message}` });
}

/** 400 as Rails words it; the official clients show this sentence. */
export function missingRoot(root: string): HttpProblem {
  return badRequest(`param is missing or the value is empty or invalid: ${root}`);
}

export function unauthorized(): HttpProblem {
  return new HttpProblem({ status: 401, error: 'Unauthorized' });
}

export function forbidden(code: string): HttpProblem {
  return new HttpProblem({ status: 403, error: 'Forbidden', code });
}

/** `notFound('customer')` answers code `customer_not_found`. What belongs to another organization is not found either. */
export function notFound(resource: string): HttpProblem {
  return new HttpProblem({ status: 404, error: 'Not Found', code: `${resource}_not_found` });
}

export function methodNotAllowed(code: ErrorCode): HttpProblem {
  return new HttpProblem({ status: 405, error: 'Method Not Allowed', code });
}

export function payloadTooLarge(): HttpProblem {
  return new HttpProblem({ status: 413, error: 'Payload Too Large', code: 'payload_too_large' });
}

export function unsupportedMediaType(): HttpProblem {
  return new HttpProblem({ status: 415, error: 'Unsupported Media Type', code: 'invalid_content_type' });
}

/** `validationFailed({ code: ['value_already_exist'] })`: 422 with `error_details` of exactly that. */
export function validationFailed(details: ErrorDetails): HttpProblem {
  return new HttpProblem({
    status: 422,
    error: 'Unprocessable Entity',
    code: 'validation_errors',
    error_details: details,
  });
}

/** 500. What happened is in the log and nowhere else. */
export function internalError(): HttpProblem {
  return new HttpProblem({ status: 500, error: 'Internal Server Error', code: 'internal_error' });
}

/** 503: nothing of the request was done (or doing it again is harmless); the client should come back. */
export function unavailable(message: string, retryAfterSeconds = 1): HttpProblem {
  return new HttpProblem(
    { status: 503, error: `Service Unavailable: ${message}`, code: 'service_unavailable' },
    { 'retry-after': String(retryAfterSeconds) },
  );
}
