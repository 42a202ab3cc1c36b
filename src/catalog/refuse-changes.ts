import { isDeepStrictEqual } from 'node:util';
import { type ErrorCode, validationFailed } from '../platform/http/errors.js';

/**
 * Once somebody is billed by it, some fields of a metric or plan are settled. Naming them with the value they have is
 * fine (clients send whole objects back); another value is refused by name.
 */
export function refuseChanges(
  current: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): void {
  const details: Record<string, ErrorCode[]> = {};
  for (const field of Object.keys(current)) {
    const value = wanted[field];
    if (value !== undefined && !isDeepStrictEqual(value ?? null, current[field] ?? null)) {
      details[field] = ['value_is_invalid'];
    }
  }
  if (Object.keys(details).length > 0) throw validationFailed(details);
}
