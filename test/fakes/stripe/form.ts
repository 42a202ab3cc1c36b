export type FormValue = string | { [key: string]: FormValue };

/** `metadata[order]=1&created[gte]=2` as the SDK writes it, to nested objects. */
export function parseForm(body: string): Record<string, FormValue> {
  const form: Record<string, FormValue> = {};
  for (const [name, value] of new URLSearchParams(body)) {
    const path = name.split(/[[\]]+/).filter(Boolean);
    const last = path.pop();
    if (last === undefined) continue;
    let target = form;
    for (const key of path) target = (target[key] ??= {}) as Record<string, FormValue>;
    target[last] = value;
  }
  return form;
}
