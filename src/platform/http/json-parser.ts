import type { FastifyInstance } from 'fastify';
import { badRequest } from './errors.js';

/** More than any catalog object needs; beyond it the answer is 413. */
export const BODY_LIMIT = 5 << 20;

/**
 * JSON is the only content. An empty body is no error even when the header announces JSON: several clients send it with
 * every PUT and DELETE.
 */
export function acceptOnlyJson(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: BODY_LIMIT }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parse(request, body as string, (error, value) => done(error && badRequest('the body is not valid JSON'), value));
  });
}
