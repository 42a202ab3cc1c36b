import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import { z } from 'zod';
import { badRequest, ERROR_CODES, type ErrorCode, missingRoot, validationFailed } from './errors.js';

const roots = new WeakMap<object, string>();
const optionalRoots = new WeakMap<object, string>();

/** `{ "plan": {...} }`: how Lago wraps every body. Without the root key the answer is 400, with a bad field 422. */
export function wrapped<Root extends string, Shape extends z.ZodType>(root: Root, shape: Shape) {
  return rooted(root, z.object({ [root]: shape } as Record<Root, Shape>));
}

/** The same for a body that has more than its root: `{ "status": "pending", "subscription": {...} }`. */
export function rooted<Schema extends z.ZodObject>(root: string & keyof Schema['shape'], schema: Schema): Schema {
  roots.set(schema, root);
  return schema;
}

/** The same where there may be no body at all: what is missing is empty, what is there has to have the shape (400). */
export function optionallyWrapped<Root extends string, Shape extends z.ZodObject>(root: Root, shape: Shape) {
  const fields = { [root]: shape.nullish() } as Record<Root, z.ZodOptional<z.ZodNullable<Shape>>>;
  const schema = z.preprocess((body) => body ?? {}, z.object(fields));
  optionalRoots.set(schema, root);
  return schema;
}

/**
 * Reads bodies and queries with their zod schema. Unknown keys are dropped, as Lago does. Text that Postgres cannot keep
 * (NUL, half a surrogate pair) and nesting without end are refused before anything else looks at the value.
 */
@Injectable()
export class RequestPipe extends StandardSchemaValidationPipe {
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const schema = metadata.schema as z.ZodType | undefined;
    if (!schema) return value;
    if (metadata.type === 'query') return parse(schema, withoutBrackets(value)) as T;
    const root = roots.get(schema);
    if (root !== undefined && !hasRoot(value, root)) throw missingRoot(root);
    const optionalRoot = optionalRoots.get(schema);
    if (optionalRoot !== undefined && !mayHaveRoot(value, optionalRoot)) throw missingRoot(optionalRoot);
    return parse(schema, value) as T;
  }
}

function parse(schema: z.ZodType, value: unknown): unknown {
  refuseUnstorable(value);
  const result = schema.safeParse(value, { error: codeOfIssue });
  if (result.success) return result.data;
  const details: Record<string, ErrorCode[]> = {};
  for (const issue of result.error.issues) {
    const codes = (details[fieldOf(issue.path)] ??= []);
    const code = issue.message in ERROR_CODES ? (issue.message as ErrorCode) : 'value_is_invalid';
    if (!codes.includes(code)) codes.push(code);
  }
  throw validationFailed(details);
}

function hasRoot(value: unknown, root: string): boolean {
  const inner = isObject(value) ? value[root] : undefined;
  return isObject(inner) && Object.keys(inner).length > 0;
}

function mayHaveRoot(value: unknown, root: string): boolean {
  if (value === undefined || value === null) return true;
  return isObject(value) && (value[root] === undefined || value[root] === null || isObject(value[root]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * `statuses[]=draft&statuses[]=finalized` is the list `statuses`; `metadata[region]=eu` is an entry of `metadata`;
 * `group[region][]=eu` is a list in one. Ways of saying the same add up, and what cannot be both is refused (422).
 */
export function withoutBrackets(query: unknown): Record<string, unknown> {
  const read = new Map<string, unknown>();
  for (const [key, value] of Object.entries(query as Record<string, unknown>)) {
    const [, name, keys] = /^([^[\]]+)((?:\[[^[\]]+\])*)(?:\[\])?$/.exec(key) ?? [];
    if (name === undefined) read.set(key, value);
    else read.set(name, placed(read.get(name), keys === '' ? [] : keys!.slice(1, -1).split(']['), value, name));
  }
  return Object.fromEntries(read);
}

function placed(into: unknown, [key, ...keys]: readonly string[], value: unknown, name: string): unknown {
  const contradicts = into !== undefined && isObject(into) !== (key !== undefined);
  if (contradicts || keys.length > MAX_DEPTH) throw validationFailed({ [name]: ['value_is_invalid'] });
  if (key === undefined) return into === undefined ? value : [into, value].flat();
  const entries = new Map(Object.entries(into ?? {}));
  return Object.fromEntries(entries.set(key, placed(entries.get(key), keys, value, name)));
}

/** Zod's reason in Lago's words. */
function codeOfIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined || issue.input === null) return 'value_is_mandatory';
  const { code, origin, minimum } = issue as { code?: string; origin?: string; minimum?: unknown };
  if (code === 'too_big')
    return origin === 'string' || origin === 'array' ? 'value_is_too_long' : 'value_is_out_of_range';
  if (code === 'too_small') {
    if (origin !== 'string' && origin !== 'array') return 'value_is_out_of_range';
    return minimum === 1 ? 'value_is_mandatory' : 'value_is_too_short';
  }
  return 'value_is_invalid';
}

/** Free-form objects are named as a whole; everything else by its own name, without the way to it. */
const WHOLES = new Set(['properties', 'metadata', 'values']);

function fieldOf(path: readonly PropertyKey[]): string {
  const names = path.filter((segment): segment is string => typeof segment === 'string');
  return names.find((name) => WHOLES.has(name)) ?? names.at(-1) ?? 'base';
}

const MAX_DEPTH = 32;

// eslint-disable-next-line no-control-regex -- NUL is what is looked for
const UNSTORABLE = /\u0000|\p{Surrogate}/u;

export function isStorable(value: string): boolean {
  return !UNSTORABLE.test(value);
}

/** Walks with a stack of its own: a value nested five million deep must not end as a stack overflow. */
function refuseUnstorable(root: unknown): void {
  const pending: { value: unknown; path: readonly string[]; depth: number }[] = [{ value: root, path: [], depth: 0 }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { value, path, depth } = next;
    if (typeof value === 'string' && !isStorable(value))
      throw validationFailed({ [fieldOf(path)]: ['value_is_invalid'] });
    if (typeof value !== 'object' || value === null) continue;
    if (depth > MAX_DEPTH) throw badRequest('the body is nested too deeply');
    const isList = Array.isArray(value);
    for (const [key, inner] of Object.entries(value)) {
      if (!isStorable(key)) throw validationFailed({ [fieldOf(path)]: ['value_is_invalid'] });
      if (typeof inner !== 'string' && typeof inner !== 'object') continue;
      pending.push({ value: inner, path: isList ? path : [...path, key], depth: depth + 1 });
    }
  }
}
