import type { Api } from 'lago-javascript-client';

/** An operation of the API: `GET /plans/{}`. Path parameters have no name, ours and Lago's differ. */
export type Operation = string;

/** What Lago's API offers, read off its official client: its functions carry method and path. */
export function operationsOfClient(client: Api<unknown>): Operation[] {
  const functions = Object.values(client)
    .filter((group: unknown) => typeof group === 'object' && group !== null)
    .flatMap((group: unknown) => Object.values(group as object))
    .filter((member: unknown) => typeof member === 'function');
  const operations = functions.flatMap((request) => {
    const [, path, method] = /path: `([^`]+)`,\s*method: "(\w+)"/.exec(String(request)) ?? [];
    return path === undefined || method === undefined ? [] : [operation(method, path.replace(/\$\{\w+\}/g, '{}'))];
  });
  return [...new Set(operations)];
}

/** What an OpenAPI document offers below `/api/v1`. */
export function operationsOfDocument(document: { readonly paths: Record<string, object> }): Operation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    path.startsWith('/api/v1/')
      ? Object.keys(item).map((method) => operation(method, path.slice('/api/v1'.length).replace(/\{\w+\}/g, '{}')))
      : [],
  );
}

const operation = (method: string, path: string): Operation => `${method.toUpperCase()} ${path}`;

/** In Markdown: how much of each resource of Lago is there, what is missing, and which operations are ours alone. */
export function compatibilityLists(lago: readonly Operation[], ours: readonly Operation[]): string {
  const there = new Set(ours);
  const known = new Set(lago);
  const resources = new Map<string, Operation[]>();
  for (const each of lago) resources.set(resourceOf(each), [...(resources.get(resourceOf(each)) ?? []), each]);
  const rows = [...resources].sort().map(([resource, operations]) => {
    const missing = operations.filter((each) => !there.has(each)).sort(byPath);
    const count = `- **${resource}**: ${operations.length - missing.length} of ${operations.length}`;
    return missing.length === 0 ? count : `${count}. Missing: ${missing.map(code).join(', ')}`;
  });
  const supported = lago.filter((each) => there.has(each)).length;
  const additions = ours.filter((each) => !known.has(each)).sort(byPath);
  return [
    `${supported} of ${lago.length} operations are supported.`,
    rows.join('\n'),
    '## Beyond Lago',
    additions.map((each) => `- ${code(each)}`).join('\n'),
  ].join('\n\n');
}

const resourceOf = (each: Operation) => /\/(\w+)/.exec(each)?.[1] ?? each;
const byPath = (a: Operation, b: Operation) => reversed(a).localeCompare(reversed(b));
const reversed = (each: Operation) => each.split(' ').reverse().join(' ');
const code = (each: Operation) => `\`${each.replaceAll('{}', '{…}')}\``;
