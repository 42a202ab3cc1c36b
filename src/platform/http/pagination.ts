import { z } from 'zod';

/** Lago's code sets no upper bound; a page of everything would be a way to empty the server's memory. */
const MAX_PER_PAGE = 1000;
const DEFAULT_PER_PAGE = 100;
const MAX_PAGE = 1_000_000_000;

/** `page` and `per_page` of every list. What is no positive number counts as absent, as with Lago. */
export const pageQuery = {
  page: pageNumber(1, MAX_PAGE),
  per_page: pageNumber(DEFAULT_PER_PAGE, MAX_PER_PAGE),
};

function pageNumber(fallback: number, max: number) {
  return z
    .unknown()
    .optional()
    .transform((value) => {
      const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : fallback;
      return number < 1 ? fallback : Math.min(number, max);
    })
    .meta({ type: 'integer', default: fallback, minimum: 1 });
}

export interface PageRequest {
  readonly page: number;
  readonly per_page: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly totalCount: number;
}

export const metaSchema = z
  .object({
    current_page: z.int(),
    next_page: z.int().nullable(),
    prev_page: z.int().nullable(),
    total_pages: z.int(),
    total_count: z.int(),
  })
  .meta({ id: 'PaginationMeta' });

export type PaginationMeta = z.infer<typeof metaSchema>;

/** For MikroORM's `find`. */
export function limits(request: PageRequest): { limit: number; offset: number } {
  return { limit: request.per_page, offset: (request.page - 1) * request.per_page };
}

/** The page of a list that is at hand as a whole. */
export function pageOf<Item>(items: readonly Item[], request: PageRequest): readonly Item[] {
  const { limit, offset } = limits(request);
  return items.slice(offset, offset + limit);
}

/**
 * The exact meta of a page. An empty result has page 0 of 0: `{ current_page: 0, next_page: null, prev_page: null,
 * total_pages: 0, total_count: 0 }`.
 */
export function metaOf(request: PageRequest, totalCount: number): PaginationMeta {
  const totalPages = Math.ceil(totalCount / request.per_page);
  if (totalCount === 0) {
    return { current_page: 0, next_page: null, prev_page: null, total_pages: 0, total_count: 0 };
  }
  return {
    current_page: request.page,
    next_page: request.page < totalPages ? request.page + 1 : null,
    prev_page: request.page > 1 && request.page <= totalPages ? request.page - 1 : null,
    total_pages: totalPages,
    total_count: totalCount,
  };
}
