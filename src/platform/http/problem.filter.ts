import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../logging/logger.js';
import { problemOf } from './problem-of.js';
import { LOGGER } from './tokens.js';

/** Every error of every route ends here, also those of Fastify itself and of the ingestion's raw routes. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = problemOf(error);
    if (problem.status >= 500) {
      const level = problem.status === 500 ? 'error' : 'warn';
      this.logger[level]({ err: error, method: request.method, url: request.url }, 'The request could not be served');
    }
    void reply.status(problem.status).headers(problem.headers).send(problem.body);
  }
}
