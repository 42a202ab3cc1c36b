import { notFound } from './errors.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(value: string): boolean {
  return UUID.test(value);
}

/** An id in a path that is no UUID is the id of nothing. */
export function uuidInPath(value: string, resource: string): string {
  if (!isUuid(value)) throw notFound(resource);
  return value;
}
