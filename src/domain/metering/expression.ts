import { parsePlainDecimal } from '../money/decimal-string.js';
import { Decimal } from '../money/decimal.js';

/** An expression of a metric, understood: it computes the property that is aggregated from the others (reference 1.2). */
export type Expression =
  | { readonly kind: 'number'; readonly value: Decimal }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'code' }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'property'; readonly name: string }
  | { readonly kind: 'negated'; readonly operand: Expression }
  | { readonly kind: 'calculation'; readonly operator: Operator; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'rounding';
      readonly rounding: RoundingName;
      readonly operand: Expression;
      readonly digits: Expression | null;
    }
  | { readonly kind: 'concat'; readonly parts: readonly Expression[] };

export type Operator = '+' | '-' | '*' | '/';
export type RoundingName = 'round' | 'ceil' | 'floor';

/** What an expression can see of an event. */
export interface ExpressionEvent {
  readonly code: string;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

export type Evaluation =
  | { readonly ok: true; readonly value: Decimal | string }
  /** `reason` is a sentence for a person. */
  | { readonly ok: false; readonly reason: string };

const MOST_DIGITS = 40;

/**
 * The value of an expression for one event. Decimals are exact up to 40 digits; a quotient is rounded there, half-up. A
 * property that is missing or no single value, text where a number is needed, and a division by zero fail.
 *
 * Example: `round(event.properties.bytes / 1024, 2)` with bytes 1500 -> 1.46.
 */
export function evaluateExpression(expression: Expression, event: ExpressionEvent): Evaluation {
  try {
    const value = valueOf(expression, event);
    if (typeof value === 'string') return { ok: true, value };
    const size = value.isZero() ? 0 : Math.max(value.e, value.decimalPlaces());
    if (size > MOST_DIGITS) return { ok: false, reason: `the result has more than ${MOST_DIGITS} digits` };
    return { ok: true, value };
  } catch (error) {
    if (error instanceof NotComputable) return { ok: false, reason: error.message };
    throw error;
  }
}

/** Ends an evaluation from any depth; never leaves this file. */
class NotComputable extends Error {}

function valueOf(expression: Expression, event: ExpressionEvent): Decimal | string {
  switch (expression.kind) {
    case 'number':
    case 'text':
      return expression.value;
    case 'code':
      return event.code;
    case 'timestamp':
      return new Decimal(event.timestamp);
    case 'property':
      return propertyOf(expression.name, event);
    case 'negated':
      return numberOf(expression.operand, event).negated();
    case 'calculation':
      return calculated(expression.operator, numberOf(expression.left, event), numberOf(expression.right, event));
    case 'rounding':
      return rounded(expression, event);
    case 'concat':
      return expression.parts.map((part) => textOf(valueOf(part, event))).join('');
    default:
      return expression satisfies never;
  }
}

function propertyOf(name: string, { properties }: ExpressionEvent): Decimal | string {
  const value = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  const number = parsePlainDecimal(value);
  if (number === null) throw new NotComputable(`the event has no property ${name}`);
  return number;
}

function numberOf(expression: Expression, event: ExpressionEvent): Decimal {
  const value = valueOf(expression, event);
  const number = typeof value === 'string' ? parsePlainDecimal(value) : value;
  if (number === null) throw new NotComputable(`${JSON.stringify(value)} is not a number`);
  return number;
}

function calculated(operator: Operator, left: Decimal, right: Decimal): Decimal {
  switch (operator) {
    case '+':
      return left.plus(right);
    case '-':
      return left.minus(right);
    case '*':
      return left.times(right);
    case '/':
      if (right.isZero()) throw new NotComputable('division by zero');
      return left.div(right);
    default:
      return operator satisfies never;
  }
}

const ROUNDING_MODES = {
  round: Decimal.ROUND_HALF_UP,
  ceil: Decimal.ROUND_CEIL,
  floor: Decimal.ROUND_FLOOR,
} as const;

function rounded(expression: Extract<Expression, { kind: 'rounding' }>, event: ExpressionEvent): Decimal {
  const value = numberOf(expression.operand, event);
  const digits = expression.digits === null ? 0 : numberOf(expression.digits, event).toNumber();
  if (!Number.isInteger(digits) || Math.abs(digits) > MOST_DIGITS) {
    throw new NotComputable(`${digits} is not a number of digits`);
  }
  const mode = ROUNDING_MODES[expression.rounding];
  if (digits >= 0) return value.toDecimalPlaces(digits, mode);
  const unit = new Decimal(10).pow(-digits);
  return value.div(unit).toDecimalPlaces(0, mode).times(unit);
}

function textOf(value: Decimal | string): string {
  return typeof value === 'string' ? value : value.toFixed();
}
