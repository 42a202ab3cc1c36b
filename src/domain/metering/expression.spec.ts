import { describe, expect, it } from '@jest/globals';
import { evaluateExpression } from './expression.js';
import { parseExpression } from './expression-parser.js';

const event = {
  code: 'calls',
  timestamp: 1_741_219_251,
  properties: {
    a: '1',
    b: 2,
    third: '0.333',
    name: 'Ada',
    flag: true,
    list: [1],
    nothing: null,
    constructor_1: '4',
    big: '9'.repeat(60),
  },
};

function result(source: string): string {
  const parsed = parseExpression(source);
  if (!parsed.ok) return `unreadable: ${parsed.reason}`;
  const { ok, ...rest } = evaluateExpression(parsed.expression, event);
  return ok ? String((rest as { value: unknown }).value) : `failed: ${(rest as { reason: string }).reason}`;
}

describe('an expression', () => {
  it.each([
    ['event.properties.a + event.properties.b', '3'],
    ['1 + 2 * 3', '7'],
    ['(1 + 2) * 3', '9'],
    ['10 - 4 - 3', '3'],
    ['100 / 10 / 5', '2'],
    ['2 - -3', '5'],
    ['--2', '2'],
    ['-(1 + 2)', '-3'],
    ['-event.properties.b*2', '-4'],
    ['0.1 + 0.2', '0.3'],
    ['  7 ', '7'],
    ['1/3', '0.3333333333333333333333333333333333333333'],
    ['round(2.5)', '3'],
    ['round(-2.5)', '-3'],
    ['round(1.005, 2)', '1.01'],
    ['round(1234.5, -2)', '1200'],
    ['ceil(1.001, 2)', '1.01'],
    ['ceil(-1.5)', '-1'],
    ['floor(-1.5)', '-2'],
    ['floor(event.properties.third * 10, 1 - 1)', '3'],
    ["concat('x')", 'x'],
    ["concat(event.properties.name, '-', event.code, '-', 1 + 1)", 'Ada-calls-2'],
    ['concat(event.properties.flag, event.properties.a)', 'true1'],
    ["'text'", 'text'],
    ["''", ''],
    ['event.code', 'calls'],
    ['event.timestamp - 1741219200', '51'],
    ['event.properties.name', 'Ada'],
  ])('%s is %s', (source, value) => {
    expect(result(source)).toBe(value);
  });

  it.each([
    ['event.properties.missing', 'the event has no property missing'],
    ['event.properties.toString', 'the event has no property toString'],
    ['event.properties.list + 1', 'the event has no property list'],
    ['event.properties.nothing', 'the event has no property nothing'],
    ['event.properties.name + 1', '"Ada" is not a number'],
    ["1 * 'a'", '"a" is not a number'],
    ['-event.code', '"calls" is not a number'],
    ['round(event.properties.name)', '"Ada" is not a number'],
    ['1 / (1 - 1)', 'division by zero'],
    ['round(1, 0.5)', '0.5 is not a number of digits'],
    ['round(1, 1000)', '1000 is not a number of digits'],
    ['event.properties.big * 1', 'the result has more than 40 digits'],
  ])('%s fails: %s', (source, reason) => {
    expect(result(source)).toBe(`failed: ${reason}`);
  });

  it.each([
    ['', 'the expression ends too early'],
    ['   ', 'the expression ends too early'],
    ['1 +', 'the expression ends too early'],
    ['1 2', '2 is too much'],
    ['(1', ') is missing'],
    ['1)', ') is too much'],
    ['* 2', '* stands where a value should'],
    ['1 % 2', 'what stands at 2 is not understood'],
    ["'open", 'what stands at 1 is not understood'],
    ['1.2.3', 'what stands at 4 is not understood'],
    ['1e3', 'e3 is too much'],
    ['value', 'value is not known'],
    ['event', 'event is not known'],
    ['event.properties', 'event.properties is not known'],
    ['event.properties.a.b', 'event.properties.a.b is not known'],
    ['event.properties._a', 'what stands at 17 is not understood'],
    ['event.id', 'event.id is not known'],
    ['round', '( is missing'],
    ['round()', 'a function has too few or too many parameters'],
    ['round(1, 2, 3)', 'a function has too few or too many parameters'],
    ['concat()', 'a function has too few or too many parameters'],
    ['concat(1,)', ') stands where a value should'],
    ['max(1, 2)', 'max is not known'],
    [`${'('.repeat(500)}1${')'.repeat(500)}`, 'the expression is too deep'],
  ])('%.40s is refused: %s', (source, reason) => {
    expect(result(source)).toBe(`unreadable: ${reason}`);
  });

  it('may be long without being deep', () => {
    const sumOf = (terms: number) => Array.from({ length: terms }, () => '1').join(' + ');
    expect(result(sumOf(1000))).toBe('1000');
    expect(result(sumOf(1001))).toBe('unreadable: the expression is too long');
  });
});
