import { Decimal } from '../money/decimal.js';
import type { Expression, Operator, RoundingName } from './expression.js';

export type ParsedExpression =
  | { readonly ok: true; readonly expression: Expression }
  /** `reason` is a sentence for a person. */
  | { readonly ok: false; readonly reason: string };

/** Deeper is nobody's formula, and each level takes some of the stack. */
const DEEPEST = 100;
/** A sum nests as deep as it has terms. */
const MOST_TOKENS = 2000;

/**
 * Reads an expression (reference 1.2): `+ - * /` with their usual precedence, unary minus, parentheses, plain decimals,
 * text in single quotes, `round ceil floor (x[, digits])`, `concat(…)`, and the variables `event.code`,
 * `event.timestamp` and `event.properties.NAME`. Never throws.
 *
 * Example: `concat(event.properties.user, '-', event.code)`.
 */
export function parseExpression(source: string): ParsedExpression {
  try {
    return { ok: true, expression: new Parser(tokens(source)).whole() };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, reason: error.message };
    throw error;
  }
}

/** Ends a parse from any depth; never leaves this file. */
class Unreadable extends Error {}

interface Token {
  readonly kind: 'number' | 'text' | 'name' | 'sign';
  readonly text: string;
}

const TOKEN =
  /\s*(?:(?<number>\d+(?:\.\d+)?)|'(?<text>[^']*)'|(?<name>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)|(?<sign>[-+*/(),]))/y;

function tokens(source: string): Token[] {
  const found: Token[] = [];
  const end = source.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new Unreadable(`what stands at ${at + 1} is not understood`);
    const [kind, text] = Object.entries(match.groups!).find(([, part]) => part !== undefined)!;
    if (found.length === MOST_TOKENS) throw new Unreadable('the expression is too long');
    found.push({ kind: kind as Token['kind'], text });
  }
  return found;
}

class Parser {
  private next = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Expression {
    const expression = this.sum();
    if (this.next < this.tokens.length) throw new Unreadable(`${this.tokens[this.next]!.text} is too much`);
    return expression;
  }

  private sum(): Expression {
    this.depth += 1;
    if (this.depth > DEEPEST) throw new Unreadable('the expression is too deep');
    let left = this.product();
    for (let operator = this.takeOne('+', '-'); operator !== null; operator = this.takeOne('+', '-')) {
      left = { kind: 'calculation', operator: operator as Operator, left, right: this.product() };
    }
    this.depth -= 1;
    return left;
  }

  private product(): Expression {
    let left = this.factor();
    for (let operator = this.takeOne('*', '/'); operator !== null; operator = this.takeOne('*', '/')) {
      left = { kind: 'calculation', operator: operator as Operator, left, right: this.factor() };
    }
    return left;
  }

  private factor(): Expression {
    let negative = false;
    while (this.takeOne('-') !== null) negative = !negative;
    const operand = this.operand();
    return negative ? { kind: 'negated', operand } : operand;
  }

  private operand(): Expression {
    if (this.takeOne('(') !== null) {
      const inner = this.sum();
      this.require(')');
      return inner;
    }
    const token = this.tokens[this.next];
    if (token === undefined) throw new Unreadable('the expression ends too early');
    this.next += 1;
    if (token.kind === 'number') return { kind: 'number', value: new Decimal(token.text) };
    if (token.kind === 'text') return { kind: 'text', value: token.text };
    if (token.kind === 'name') return this.named(token.text);
    throw new Unreadable(`${token.text} stands where a value should`);
  }

  private named(name: string): Expression {
    switch (name) {
      case 'round':
      case 'ceil':
      case 'floor':
        return this.rounding(name);
      case 'concat':
        return { kind: 'concat', parts: this.parameters(1, Infinity) };
      case 'event.code':
        return { kind: 'code' };
      case 'event.timestamp':
        return { kind: 'timestamp' };
    }
    const property = /^event\.properties\.([^.]+)$/.exec(name)?.[1];
    if (property === undefined) throw new Unreadable(`${name} is not known`);
    return { kind: 'property', name: property };
  }

  private rounding(rounding: RoundingName): Expression {
    const [operand, digits] = this.parameters(1, 2);
    return { kind: 'rounding', rounding, operand: operand!, digits: digits ?? null };
  }

  private parameters(least: number, most: number): Expression[] {
    this.require('(');
    const given: Expression[] = [];
    if (this.takeOne(')') === null) {
      do given.push(this.sum());
      while (this.takeOne(',') !== null);
      this.require(')');
    }
    if (given.length < least || given.length > most)
      throw new Unreadable('a function has too few or too many parameters');
    return given;
  }

  private takeOne(...signs: readonly string[]): string | null {
    const token = this.tokens[this.next];
    if (token?.kind !== 'sign' || !signs.includes(token.text)) return null;
    this.next += 1;
    return token.text;
  }

  private require(sign: string): void {
    if (this.takeOne(sign) === null) throw new Unreadable(`${sign} is missing`);
  }
}
