import { randomUUID, timingSafeEqual, hash } from 'node:crypto';
import {
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  HttpCode,
  Inject,
  Injectable,
  Post,
  UseGuards,
} from '@nestjs/common';
import { ApiOkResponse, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Config } from '../platform/config.js';
import { Database } from '../platform/database/database.js';
import { WithoutApiKey } from '../platform/http/access.js';
import { unauthorized } from '../platform/http/errors.js';
import { CONFIG } from '../platform/http/tokens.js';
import { bearerToken, issueApiKey } from './api-keys.js';
import { OrganizationEntity } from './organization.entity.js';
import { applyChanges, createBody, defaultNumberPrefix } from './organization-input.js';
import { organizationAnswer, organizationJson } from './organization.mapping.js';

/** Whoever runs the server, by the token in its configuration. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const token = bearerToken(request.headers.authorization);
    if (token === null || !sameSecret(token, this.config.adminToken)) throw unauthorized();
    return true;
  }
}

/** Compares hashes, so neither the length of a secret nor its first wrong letter shows in the time it takes. */
function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(hash('sha256', given, 'hex')), Buffer.from(hash('sha256', expected, 'hex')));
}

@ApiTags('admin')
@ApiSecurity('admin')
@WithoutApiKey()
@UseGuards(AdminGuard)
@Controller('admin/organizations')
export class AdminController {
  constructor(private readonly database: Database) {}

  /** A new tenant with its first API key, which is shown here and never again. */
  @Post()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: z.object({ organization: organizationAnswer, api_key: z.string() }) })
  async create(@Body({ schema: createBody }) { organization: input }: z.infer<typeof createBody>) {
    const id = randomUUID();
    const now = new Date();
    return this.database.system(async (em) => {
      const organization = em.create(OrganizationEntity, {
        id,
        name: input.name,
        timezone: 'UTC',
        defaultCurrency: 'USD',
        netPaymentTerm: 0,
        invoiceGracePeriod: 0,
        documentNumberPrefix: defaultNumberPrefix(input.name, id),
        profile: {},
        meteringVersion: 0,
        hasTestClocks: false,
        createdAt: now,
        updatedAt: now,
      });
      applyChanges(organization, input);
      await em.flush();
      const key = issueApiKey(em, id, now);
      await em.flush();
      return { organization: organizationJson(organization, []), api_key: key };
    });
  }
}
