import { type Expression, evaluateExpression } from '../domain/metering/expression.js';
import { parseExpression } from '../domain/metering/expression-parser.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import type { Database } from '../platform/database/database.js';
import { problemOf } from '../platform/http/problem-of.js';
import type { EventErrors, EventInput } from './event-input.js';

interface ComputedProperty {
  readonly name: string;
  readonly expression: Expression;
}

type ByCode = ReadonlyMap<string, ComputedProperty>;

interface Cached {
  readonly byCode: Promise<ByCode>;
  readonly loadedAt: number;
}

/** How long another process may go on with a metric's former expression. */
const TTL_MS = 1000;
/** How long known expressions serve while Postgres cannot be asked. */
const GRACE_MS = 60_000;
const MOST_ORGANIZATIONS = 10_000;
const NONE: ByCode = new Map();

/**
 * The expressions of an organization's metrics, by the code of their events. Every event asks, so the answer is kept for a
 * moment; the process that changes a metric forgets it at once.
 */
export class EventExpressions {
  private readonly cache = new Map<string, Cached>();

  constructor(
    private readonly database: Database,
    private readonly now: () => number = Date.now,
  ) {}

  forget(organizationId: string): void {
    this.cache.delete(organizationId);
  }

  /** @throws 503 when they are not known and the database cannot be asked. */
  of(organizationId: string): Promise<ByCode> {
    const cached = this.cache.get(organizationId);
    const now = this.now();
    if (cached !== undefined && now - cached.loadedAt < TTL_MS) return cached.byCode;
    const [oldest] = this.cache.keys();
    if (this.cache.size >= MOST_ORGANIZATIONS && oldest !== undefined) this.cache.delete(oldest);
    const entry: Cached = { byCode: this.load(organizationId), loadedAt: now };
    this.cache.set(organizationId, entry);
    return entry.byCode.catch((error: unknown) => {
      // A failure is not kept; events still reach the log by what was known a moment ago.
      if (this.cache.get(organizationId) === entry) {
        if (cached === undefined) this.cache.delete(organizationId);
        else this.cache.set(organizationId, cached);
      }
      if (cached !== undefined && now - cached.loadedAt < GRACE_MS && problemOf(error).status === 503) {
        return cached.byCode;
      }
      throw error;
    });
  }

  private async load(organizationId: string): Promise<ByCode> {
    const rows = await this.database.tenant(organizationId, (em) =>
      em.execute<{ code: string; field_name: string; expression: string }[]>(
        `select code, field_name, expression from billable_metrics
          where organization_id = ? and deleted_at is null and expression is not null and field_name is not null`,
        [organizationId],
      ),
    );
    if (rows.length === 0) return NONE;
    const byCode = new Map<string, ComputedProperty>();
    for (const { code, field_name: name, expression } of rows) {
      const parsed = parseExpression(expression);
      if (parsed.ok) byCode.set(code, { name, expression: parsed.expression });
    }
    return byCode;
  }
}

/**
 * The properties with the one that the metric's expression computes, as JSON text; unchanged for a code without one. What
 * the event itself says there is replaced (lago-api.md 1.2).
 */
export function computedProperties(
  { code, properties }: EventInput,
  timestamp: number,
  expressions: ByCode,
): { readonly properties: string } | { readonly errors: EventErrors } {
  const computed = expressions.get(code);
  if (computed === undefined) return { properties };
  const given = JSON.parse(properties) as Record<string, unknown>;
  const evaluation = evaluateExpression(computed.expression, {
    code,
    timestamp: Math.floor(timestamp / 1000),
    properties: given,
  });
  if (!evaluation.ok) return { errors: { [computed.name]: ['expression_evaluation_failed'] } };
  const { value } = evaluation;
  const result = typeof value === 'string' ? value : railsDecimal(value);
  return { properties: JSON.stringify({ ...given, [computed.name]: result }) };
}
