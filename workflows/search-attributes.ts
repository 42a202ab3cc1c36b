import { defineSearchAttributeKey, type SearchAttributePair, SearchAttributeType } from '@temporalio/common';
import { type SearchAttributeName, searchAttributes } from '../src/platform/temporal/search-attributes.js';

type Values = Partial<Record<SearchAttributeName, string | number | boolean | Date | null>>;

/** Typed pairs in the registered order; null removes an attribute. One call per transition: each upsert is an action. */
export function searchAttributePairs(values: Values): SearchAttributePair[] {
  return (Object.keys(searchAttributes) as SearchAttributeName[])
    .filter((name) => values[name] !== undefined)
    .map((name) => ({
      key: defineSearchAttributeKey(name, SearchAttributeType[searchAttributes[name]]),
      value: values[name],
    })) as SearchAttributePair[];
}
