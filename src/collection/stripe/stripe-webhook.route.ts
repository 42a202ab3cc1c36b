import type { FastifyInstance } from 'fastify';
import { HttpProblem, internalError } from '../../platform/http/errors.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { StripeWebhooks } from './stripe-webhooks.service.js';

export interface StripeWebhookDeps {
  readonly webhooks: StripeWebhooks;
  readonly logger: Logger;
}

/**
 * `POST /webhooks/stripe/:organization_id`. A raw route in a scope of its own, for the signature is over the bytes of the
 * body and must see them before any parser does. Answers as soon as the notification is stored; Stripe calls again otherwise.
 */
export function registerStripeWebhook(fastify: FastifyInstance, { webhooks, logger }: StripeWebhookDeps): void {
  const running = new Set<Promise<unknown>>();

  void fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.setErrorHandler((error, _request, reply) => {
      const problem = problemFor(error);
      if (problem.status >= 500) logger.error({ err: error }, 'A Stripe webhook could not be stored');
      return reply.status(problem.status).headers(problem.headers).send(problem.body);
    });
    scope.addHook('onClose', () => Promise.all(running));

    scope.post<{ Params: { organization_id: string } }>('/webhooks/stripe/:organization_id', async (request) => {
      const signature = request.headers['stripe-signature'];
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const received = await webhooks.receive(
        request.params.organization_id,
        body,
        Array.isArray(signature) ? signature[0] : signature,
      );
      if (received.isNew) {
        // After the answer. A failure is on the row, or, when even that fails, the row is untouched: the sweep takes it up.
        const work = webhooks
          .process(received)
          .catch((error: unknown) => logger.error({ err: error, ...received }, 'A Stripe webhook waits for the sweep'))
          .finally(() => running.delete(work));
        running.add(work);
      }
      return { received: true };
    });
  });
}

function problemFor(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  // Fastify's own refusals of the request, e.g. a body that is too large.
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HttpProblem({ status: statusCode, error: `BadRequest: ${message ?? 'the request cannot be read'}` });
  }
  return internalError();
}
