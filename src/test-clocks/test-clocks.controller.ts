import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ApiKeys, type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { dateTime, text } from '../platform/http/fields.js';
import { isoMilliseconds } from '../platform/http/format.js';
import { uuidInPath } from '../platform/http/path.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { CreateRoute, ReadRoute } from '../platform/http/routes.js';
import type { TestClockRow } from './test-clock.entity.js';
import { TestClocks } from './test-clocks.service.js';

const createBody = wrapped(
  'test_clock',
  z.object({ name: text(), frozen_time: dateTime() }).meta({ id: 'TestClockInput' }),
);
const advanceBody = wrapped('test_clock', z.object({ frozen_time: dateTime() }).meta({ id: 'TestClockAdvance' }));

const testClockAnswer = z
  .object({
    lago_id: z.uuid(),
    name: z.string(),
    frozen_time: z.string(),
    status: z.enum(['ready', 'advancing', 'failed']),
    failure: z.string().nullable(),
    created_at: z.string(),
  })
  .meta({ id: 'TestClock' });

/** A time of their own for the customers created on it. Additive to Lago. */
@ApiTags('test_clocks')
@Controller('api/v1/test_clocks')
export class TestClocksController {
  constructor(
    private readonly clocks: TestClocks,
    private readonly apiKeys: ApiKeys,
  ) {}

  @CreateRoute('', 'test_clock', testClockAnswer)
  async create(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: createBody }) { test_clock: input }: z.infer<typeof createBody>,
  ) {
    const clock = await this.clocks.create(organizationId, input.name, input.frozen_time);
    // Ingestion dates events by the clock from now on, and learns of it from the cached key.
    await this.apiKeys.forget(organizationId);
    return { test_clock: testClockJson(clock) };
  }

  @ReadRoute(':id', 'test_clock', testClockAnswer)
  async read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('id') id: string) {
    return { test_clock: testClockJson(await this.clocks.find(organizationId, uuidInPath(id, 'test_clock'))) };
  }

  /** Answers `advancing`; poll until `ready`. */
  @Post(':id/advance')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: z.object({ test_clock: testClockAnswer }) })
  async advance(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('id') id: string,
    @Body({ schema: advanceBody }) { test_clock: input }: z.infer<typeof advanceBody>,
  ) {
    const clock = await this.clocks.advance(organizationId, uuidInPath(id, 'test_clock'), input.frozen_time);
    return { test_clock: testClockJson(clock) };
  }
}

function testClockJson(clock: TestClockRow) {
  return {
    lago_id: clock.id,
    name: clock.name,
    frozen_time: isoMilliseconds(clock.frozenAt),
    status: clock.status as 'ready' | 'advancing' | 'failed',
    failure: clock.failure ?? null,
    created_at: isoMilliseconds(clock.createdAt),
  };
}
