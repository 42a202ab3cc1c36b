import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { OPEN } from '../platform/http/access.js';
import { notFound } from '../platform/http/errors.js';
import { isStorable } from '../platform/http/request.pipe.js';
import { ApiKeys, type AuthenticatedOrganization } from './api-keys.js';

type AuthenticatedRequest = FastifyRequest & { organization?: AuthenticatedOrganization };

/** Every route needs an API key unless it says otherwise, so a forgotten decorator locks instead of opening. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly apiKeys: ApiKeys,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    if (!this.reflector.getAllAndOverride<boolean>(OPEN, [context.getHandler(), context.getClass()])) {
      request.organization = await this.apiKeys.authenticate(request.headers.authorization);
    }
    // A code or an id with a NUL in it is the name of nothing, and Postgres would not even look.
    const names = Object.values(request.params as Record<string, string>);
    if (!names.every(isStorable)) throw notFound('resource');
    return true;
  }
}

/** The organization whose key the request bears: `list(@Organization() { organizationId }: AuthenticatedOrganization)`. */
export const Organization = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const { organization } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (!organization) throw new Error('A route without an API key asks for its organization');
  return organization;
});
