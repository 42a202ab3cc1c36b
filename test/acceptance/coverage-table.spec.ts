import { coverageTable, shortReason } from './coverage-table.js';

describe('the coverage table', () => {
  test('has the features that fall short first, what failed with a reason, and the count', () => {
    const table = coverageTable([
      { id: 'coupon-one', features: ['coupon', 'tax'] },
      { id: 'coupon-two', features: ['coupon', 'coupon'], failure: 'step 3 GET /api/v1/invoices/7: total is 900' },
      { id: 'tax', features: ['tax'] },
    ]);
    expect(table.split('\n')).toEqual([
      '  feature  passed    of',
      '  coupon        1     2',
      '  tax           2     2',
      '',
      '  failing',
      '  coupon-two  step 3 GET /invoices/7: total is 900',
      '',
      '2 passed, 1 failed',
    ]);
  });

  test('is only a count when nothing was run', () => {
    expect(coverageTable([])).toBe('0 passed, 0 failed');
  });
});

describe('a reason', () => {
  const details = '{"status":422,"error":"Unprocessable Entity","code":"validation_errors","error_details":';
  test.each([
    [
      `step 1 POST /api/v1/plans at 2024-01-01T00:00:00Z: status 422, expected 200: ${details}{"code":["a","b"],"x":["c"]}}`,
      'step 1 POST /plans: status 422, expected 200: code a, b; x c',
    ],
    [
      'step 2 GET /api/v1/x: status 404, expected 200: {"status":404,"error":"Not Found","code":"x_not_found"}',
      'step 2 GET /x: status 404, expected 200: x_not_found',
    ],
    [
      'step 2 GET /api/v1/x: status 401, expected 200: {"status":401,"error":"Unauthorized"}',
      'step 2 GET /x: status 401, expected 200: Unauthorized',
    ],
    [
      `step 2 POST /x: status 422, expected 200: ${details}{"cut`,
      `step 2 POST /x: status 422, expected 200: ${details}{"cut`,
    ],
    ['amount is "1", expected "2"\n{"all": "of it"}', 'amount is "1", expected "2"'],
    ['x'.repeat(300), `${'x'.repeat(159)}…`],
  ])('%#', (failure, short) => {
    expect(shortReason(failure)).toBe(short);
  });
});
