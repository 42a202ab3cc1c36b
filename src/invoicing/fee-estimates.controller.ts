import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type EventErrors, type EventInput, readEvent } from '../ingestion/event-input.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { missingRoot, validationFailed } from '../platform/http/errors.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { feeAnswer, feeJson, type FeeView } from './fee.mapping.js';
import { FeeEstimates } from './fee-estimates.service.js';

/** An estimate has no id and was never made. */
const estimateAnswer = feeAnswer.extend({ lago_id: z.null(), created_at: z.null() }).meta({ id: 'FeeEstimate' });
const answer = z.object({ fees: z.array(estimateAnswer) });

// Fields are read as those of an event that is sent for good, so that both refuse the same.
const anyFields = z.record(z.string(), z.unknown());
const oneBody = wrapped('event', anyFields);
const manyBody = z.object({ events: z.array(z.unknown()).nullish() });
const MOST_EVENTS = 100;

@ApiTags('events')
@Controller('api/v1/events')
export class FeeEstimatesController {
  constructor(private readonly estimates: FeeEstimates) {}

  /** What an event would cost now, behind all usage so far. Nothing is stored. */
  @Post('estimate_fees')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: answer })
  async estimate(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: oneBody }) { event }: z.infer<typeof oneBody>,
  ) {
    return shown(await this.estimates.estimate(organizationId, readOne(event)));
  }

  /** What an event would cost for itself. */
  @Post('estimate_instant_fees')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: answer })
  async estimateInstant(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: oneBody }) { event }: z.infer<typeof oneBody>,
  ) {
    return shown(await this.estimates.estimateInstant(organizationId, [readOne(event)]));
  }

  /** What up to 100 events would cost, each for itself. */
  @Post('batch_estimate_instant_fees')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: answer })
  async estimateInstantBatch(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: manyBody }) { events }: z.infer<typeof manyBody>,
  ) {
    if (events === undefined) throw missingRoot('events');
    return shown(await this.estimates.estimateInstant(organizationId, readMany(events ?? [])));
  }
}

function shown(fees: readonly FeeView[]): z.infer<typeof answer> {
  return { fees: fees.map((fee) => ({ ...feeJson(fee), lago_id: null, created_at: null })) };
}

function readOne(event: unknown): EventInput {
  const read = readEstimated(event);
  if ('errors' in read) throw validationFailed(read.errors);
  return read.event;
}

function readMany(inputs: readonly unknown[]): EventInput[] {
  if (inputs.length === 0) throw validationFailed({ events: ['no_events'] });
  if (inputs.length > MOST_EVENTS) throw validationFailed({ events: ['too_many_events'] });
  const events: EventInput[] = [];
  const errors: Record<string, EventErrors> = {};
  for (const [index, input] of inputs.entries()) {
    const read = readEstimated(input);
    if ('event' in read) events.push(read.event);
    else errors[index] = read.errors;
  }
  if (events.length < inputs.length) throw validationFailed(errors);
  return events;
}

/** An estimate needs no transaction id; the subscription it cannot do without. */
function readEstimated(input: unknown): ReturnType<typeof readEvent> {
  if (typeof input !== 'object' || input === null) return readEvent(input);
  const fields = input as Record<string, unknown>;
  const read = readEvent({ ...fields, transaction_id: fields['transaction_id'] ?? 'estimate' });
  const subscription = fields['external_subscription_id'];
  if (subscription !== undefined && subscription !== null && subscription !== '') {
    return 'event' in read && fields['transaction_id'] == null ? { event: { ...read.event, transactionId: '' } } : read;
  }
  const errors = 'errors' in read ? read.errors : {};
  return { errors: { ...errors, external_subscription_id: ['value_is_mandatory'] } };
}
