/*
 * Postgres array literals built as text. Binding one text per column is several times cheaper than letting the driver
 * convert arrays of values, and this is the hottest path of the consumer.
 */

/** For values that need no quotes: numbers, UUIDs, plain decimals. */
export function plainArray(values: readonly (string | number | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i += 1) {
    if (i > 0) text += ',';
    text += values[i] ?? 'NULL';
  }
  return `${text}}`;
}

/** For any text; quotes and backslashes are escaped. */
export function textArray(values: readonly (string | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i += 1) {
    if (i > 0) text += ',';
    const value = values[i];
    text += value == null ? 'NULL' : quoted(value);
  }
  return `${text}}`;
}

const ESCAPED = /[\\"]/;

function quoted(value: string): string {
  return ESCAPED.test(value) ? `"${value.replace(/[\\"]/g, '\\$&')}"` : `"${value}"`;
}
