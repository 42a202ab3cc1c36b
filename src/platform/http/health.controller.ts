import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { WithoutApiKey } from './access.js';
import { probeAll, type ReadinessProbe } from './readiness.js';
import { READINESS_PROBES } from './tokens.js';

const probe = z.object({ status: z.enum(['up', 'down']), latency_ms: z.number(), error: z.string().optional() });
const ready = z
  .object({ status: z.enum(['ready', 'unavailable']), checks: z.record(z.string(), probe) })
  .meta({ id: 'Readiness' });

@ApiTags('health')
@WithoutApiKey()
@Controller('health')
export class HealthController {
  constructor(@Inject(READINESS_PROBES) private readonly probes: readonly ReadinessProbe[]) {}

  /** The process runs and answers. It says nothing of the servers behind it: restarting it would not bring them back. */
  @Get('live')
  @ApiOkResponse({ standardSchema: z.object({ status: z.literal('live') }) })
  live() {
    return { status: 'live' };
  }

  /** 200 when Postgres, NATS and Temporal each answer within a second; 503, with the reason, otherwise. */
  @Get('ready')
  @ApiOkResponse({ standardSchema: ready })
  @ApiResponse({ status: 503, standardSchema: ready })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const checks = await probeAll(this.probes);
    const isReady = Object.values(checks).every(({ status }) => status === 'up');
    void reply.status(isReady ? 200 : 503);
    if (!isReady) void reply.header('retry-after', '1');
    return { status: isReady ? 'ready' : 'unavailable', checks };
  }
}
