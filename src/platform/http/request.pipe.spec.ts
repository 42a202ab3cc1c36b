import { z } from 'zod';
import { HttpProblem } from './errors.js';
import { groupFilter } from './query-fields.js';
import { withoutBrackets } from './request.pipe.js';

describe('the brackets of a query', () => {
  it.each<[string, object, object]>([
    ['a value', { status: 'draft' }, { status: 'draft' }],
    ['a list', { 'status[]': ['draft', 'failed'] }, { status: ['draft', 'failed'] }],
    ['a list said in two ways', { status: 'draft', 'status[]': ['failed'] }, { status: ['draft', 'failed'] }],
    ['entries', { 'metadata[a]': '1', 'metadata[b]': '2' }, { metadata: { a: '1', b: '2' } }],
    ['a list in an entry', { 'group[a][]': ['1', '2'], 'group[b][]': '3' }, { group: { a: ['1', '2'], b: '3' } }],
    ['an entry said in two ways', { 'group[a]': '1', 'group[a][]': '2' }, { group: { a: ['1', '2'] } }],
    ['entries in an entry', { 'group[a][b]': '1', 'group[a][c]': '2' }, { group: { a: { b: '1', c: '2' } } }],
    ['what is no such name', { 'a[': '1', '[b]': '2', 'c[][d]': '3' }, { 'a[': '1', '[b]': '2', 'c[][d]': '3' }],
  ])('%s', (_, query, expected) => {
    expect(withoutBrackets(query)).toEqual(expected);
  });

  it('make no other object of what is called like its prototype', () => {
    const read = withoutBrackets({ '__proto__[a]': '1', 'b[__proto__][c]': '2' });
    expect(Object.keys(read)).toEqual(['__proto__', 'b']);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(Object.keys(read['b'] as object)).toEqual(['__proto__']);
  });

  it.each<[string, object]>([
    ['a text and an entry', { group: '{"a":"1"}', 'group[a]': '1' }],
    ['an entry and a text', { 'group[a]': '1', group: '{}' }],
    ['an entry that has entries', { 'group[a]': '1', 'group[a][b]': '2' }],
    ['nesting without end', { [`group${'[a]'.repeat(5000)}`]: '1' }],
  ])('refuse %s', (_, query) => {
    expect(() => withoutBrackets(query)).toThrow(HttpProblem);
  });
});

describe('a filter by group', () => {
  const read = (query: object) => z.object({ group: groupFilter() }).safeParse(withoutBrackets(query));

  it('may be missing', () => {
    expect(read({})).toEqual({ success: true, data: {} });
  });

  it.each<[string, object, object]>([
    ['an entry', { 'group[user]': 'a' }, { user: ['a'] }],
    ['a list of one', { 'group[user][]': 'a' }, { user: ['a'] }],
    ['a list', { 'group[user][]': ['a', 'b'] }, { user: ['a', 'b'] }],
    ['the same key twice', { 'group[user]': ['a', 'b'] }, { user: ['a', 'b'] }],
    ['JSON', { group: '{"user":"a","team":["x","y"]}' }, { user: ['a'], team: ['x', 'y'] }],
    ['JSON of numbers', { group: '{"user": 1, "paid": true}' }, { user: ['1'], paid: ['true'] }],
  ])('%s', (_, query, group) => {
    expect(read(query)).toMatchObject({ success: true, data: { group } });
  });

  it.each(['', 'a', '[]', '"a"', '{"user":', '{"user":{"a":1}}', '{"user":null}'])(
    'is refused, not dropped: %s',
    (group) => {
      expect(read({ group }).success).toBe(false);
    },
  );

  it('nested is refused', () => {
    expect(read({ 'group[user][name]': 'a' }).success).toBe(false);
  });
});
