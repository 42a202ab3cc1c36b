import { metaOf, pageQuery } from './pagination.js';

describe('metaOf', () => {
  it.each([
    ['nothing', 1, 100, 0, [0, null, null, 0, 0]],
    ['one page', 1, 100, 100, [1, null, null, 1, 100]],
    ['first of two', 1, 100, 101, [1, 2, null, 2, 101]],
    ['last of two', 2, 100, 101, [2, null, 1, 2, 101]],
    ['in the middle', 2, 1, 3, [2, 3, 1, 3, 3]],
    ['beyond the end', 9, 2, 3, [9, null, null, 2, 3]],
  ])('%s', (_, page, perPage, total, [current, next, prev, pages, count]) => {
    expect(metaOf({ page, per_page: perPage }, total)).toEqual({
      current_page: current,
      next_page: next,
      prev_page: prev,
      total_pages: pages,
      total_count: count,
    });
  });
});

describe('page numbers of a query', () => {
  it.each([
    [undefined, 1, 100],
    ['3', 3, 3],
    ['0', 1, 100],
    ['-1', 1, 100],
    ['x', 1, 100],
    [['1', '2'], 1, 100],
    ['999999999999', 1_000_000_000, 1000],
  ])('%p', (value, page, perPage) => {
    expect(pageQuery.page.parse(value)).toBe(page);
    expect(pageQuery.per_page.parse(value)).toBe(perPage);
  });
});
