import { validationFailed } from '../platform/http/errors.js';

/**
 * The code of each part of a plan: the one it asks for, else the one it has, else the code of what it prices, with `_1`,
 * `_2` … where that is taken within the plan.
 * @throws 422 `code: value_already_exist` when one is asked for twice.
 */
export function assignCodes<Input extends { readonly code?: string | null | undefined }>(
  inputs: readonly Input[],
  currentCode: (input: Input) => string | undefined,
  pricedCode: (input: Input) => string,
): Map<Input, string> {
  const codes = new Map<Input, string>();
  const taken = new Set<string>();
  for (const input of inputs) {
    const code = input.code ?? currentCode(input);
    if (code === undefined) continue;
    if (taken.has(code)) throw validationFailed({ code: ['value_already_exist'] });
    taken.add(code);
    codes.set(input, code);
  }
  for (const input of inputs) {
    if (codes.has(input)) continue;
    const code = freeCode(pricedCode(input), taken);
    taken.add(code);
    codes.set(input, code);
  }
  return codes;
}

/** The code of one more part of a plan. @throws 422 `code: value_already_exist` when another part has the one asked for. */
export function codeAmong(
  others: readonly { readonly code: string }[],
  asked: string | null,
  pricedCode: string,
): string {
  const taken = new Set(others.map(({ code }) => code));
  if (asked === null) return freeCode(pricedCode, taken);
  if (taken.has(asked)) throw validationFailed({ code: ['value_already_exist'] });
  return asked;
}

/** Example: `calls`, or `calls_1` when the plan has a `calls` already. */
function freeCode(base: string, taken: ReadonlySet<string>): string {
  let code = base;
  for (let number = 1; taken.has(code); number += 1) code = `${base}_${number}`;
  return code;
}
