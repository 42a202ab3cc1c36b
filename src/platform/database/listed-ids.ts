import type { EntityManager } from './database.js';

/** A condition of a list with a `?` for each of its parameters. */
export type Condition = readonly [sql: string, params: readonly unknown[]];

export interface IdList {
  /** What stands behind `from`: the listed table and its joins. */
  readonly from: string;
  /** The listed table's key. */
  readonly id: string;
  readonly conditions: readonly Condition[];
  /** Total, so that pages neither repeat nor miss a row. */
  readonly orderBy: string;
  /** The page asked for, from 1. */
  readonly page: { readonly page: number; readonly per_page: number };
}

/** The ids of a page of a list, and how many rows meet its conditions in all. */
export async function listedIds(em: EntityManager, list: IdList): Promise<{ ids: string[]; totalCount: number }> {
  const { id, conditions, orderBy, page } = list;
  const from = `${list.from} where ${conditions.map(([sql]) => `(${sql})`).join(' and ')}`;
  const params = conditions.flatMap(([, values]) => values);
  const rows = await em.execute<{ id: string }[]>(
    `select ${id} as id from ${from} order by ${orderBy} limit ? offset ?`,
    [...params, page.per_page, (page.page - 1) * page.per_page],
  );
  const [count] = await em.execute<{ count: number }[]>(`select count(*)::int as count from ${from}`, params);
  return { ids: rows.map((row) => row.id), totalCount: count?.count ?? 0 };
}

/** One of the values; of none, nothing. */
export function oneOf(expression: string, values: readonly string[]): Condition {
  if (values.length === 0) return ['false', []];
  return [`${expression} in (${values.map(() => '?').join(', ')})`, values];
}

/** Any of the fields contains the term, as it is written but for upper and lower case. */
export function anyContains(fields: readonly string[], term: string): Condition {
  const pattern = `%${term.replace(/[\\%_]/g, '\\$&')}%`;
  return [fields.map((field) => `${field} ilike ?`).join(' or '), fields.map(() => pattern)];
}
