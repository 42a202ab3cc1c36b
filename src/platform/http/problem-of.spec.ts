import { NotFoundException } from '@nestjs/common';
import { methodNotAllowed, unavailable, validationFailed } from './errors.js';
import { problemOf } from './problem-of.js';

const thrown = (fields: object, message = 'something') => Object.assign(new Error(message), fields);

describe('problemOf', () => {
  it.each([
    ['an own problem as it is', methodNotAllowed('not_voidable'), 405, 'not_voidable'],
    [
      'an own problem inside another error',
      new Error('x', { cause: methodNotAllowed('not_voidable') }),
      405,
      'not_voidable',
    ],
    ['an unknown route', new NotFoundException('Cannot GET /nowhere'), 404, 'resource_not_found'],
    ['a huge body', thrown({ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }), 413, 'payload_too_large'],
    [
      'a foreign content type',
      thrown({ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }),
      415,
      'invalid_content_type',
    ],
    ['a refused connection', thrown({ code: 'ECONNREFUSED' }), 503, 'service_unavailable'],
    [
      'a refused connection to two addresses',
      new AggregateError([thrown({ code: 'ECONNREFUSED' })]),
      503,
      'service_unavailable',
    ],
    ['Postgres stopping', thrown({ code: '57P01' }), 503, 'service_unavailable'],
    ['a deadlock', new Error('driver', { cause: thrown({ code: '40P01' }) }), 503, 'service_unavailable'],
    ['Temporal away', thrown({ code: 14 }), 503, 'service_unavailable'],
    ['NATS away', thrown({ name: 'NoRespondersError' }), 503, 'service_unavailable'],
    ['anything else', new TypeError('x is not a function'), 500, 'internal_error'],
    ['a value that is no error', 'text', 500, 'internal_error'],
    ['bad SQL of ours', thrown({ code: '42P01' }), 500, 'internal_error'],
  ])('maps %s', (_, error, status, code) => {
    expect(problemOf(error).body).toMatchObject({ status, code });
  });

  it('names the field of a unique index that was hit by two requests at once', () => {
    const error = thrown({ code: '23505', detail: 'Key (organization_id, code)=(5f, pro) already exists.' });
    expect(problemOf(error).body).toEqual(validationFailed({ code: ['value_already_exist'] }).body);
  });

  it('says nothing of its insides in a 500', () => {
    expect(JSON.stringify(problemOf(new Error('password=secret')).body)).not.toContain('secret');
  });

  it('tells when to come back', () => {
    expect(unavailable('busy', 7).headers).toEqual({ 'retry-after': '7' });
    expect(unavailable('busy', 7).body).toEqual({
      status: 503,
      error: 'Service Unavailable: busy',
      code: 'service_unavailable',
    });
  });
});
