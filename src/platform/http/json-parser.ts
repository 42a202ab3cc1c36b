import type { IncomingMessage } from 'node:http';
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
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: BODY_LIMIT },
    (request, body, done) => {
      if (body === '') return done(null, undefined);
      void parse(request, body as string, (error, value) =>
        done(error && badRequest('the body is not valid JSON'), value),
      );
    },
  );
}

/** How much of a refused body is still read, and for how long. */
const DRAIN_BYTES = 64 << 20;
const DRAIN_MS = 10_000;

/**
 * An answer to a body that is refused unread (413) waits until the client has sent it, within bounds: one that is still
 * writing when the connection closes sees a broken pipe instead of the answer.
 */
export function answerAfterRefusedBody(fastify: FastifyInstance): void {
  fastify.addHook('onSend', async (request, reply) => {
    if (reply.statusCode === 413) await drained(request.raw);
  });
}

function drained(body: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(done, DRAIN_MS);
    function count(chunk: Buffer): void {
      bytes += chunk.length;
      if (bytes > DRAIN_BYTES) done();
    }
    function done(): void {
      clearTimeout(timer);
      body.off('data', count).off('end', done).off('close', done);
      resolve();
    }
    if (body.readableEnded || body.destroyed) return done();
    body.on('data', count).on('end', done).on('close', done).resume();
  });
}
