import {
  defineSearchAttributeKey,
  type SearchAttributePair,
  SearchAttributeType,
  type SearchAttributeUpdatePair,
} from '@temporalio/common';
import { type SearchAttributeName, searchAttributes } from '../src/platform/temporal/search-attributes.js';

export type SearchAttributeValues = Partial<Record<SearchAttributeName, string | number | boolean | Date | null>>;

/** For the start of a run: typed pairs of what has a value. */
export function searchAttributePairs(values: SearchAttributeValues): SearchAttributePair[] {
  return pairs(values, (value) => value !== undefined && value !== null) as SearchAttributePair[];
}

/** For a run under way: null removes an attribute. One call per transition, since each is an action. */
export function searchAttributeChanges(values: SearchAttributeValues): SearchAttributeUpdatePair[] {
  return pairs(values, (value) => value !== undefined) as SearchAttributeUpdatePair[];
}

// In the registered order, so that the same state always gives the same command.
function pairs(values: SearchAttributeValues, kept: (value: unknown) => boolean) {
  return (Object.keys(searchAttributes) as SearchAttributeName[])
    .filter((name) => kept(values[name]))
    .map((name) => ({
      key: defineSearchAttributeKey(name, SearchAttributeType[searchAttributes[name]]),
      value: values[name],
    }));
}
