import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { type AggregationKind, mayRecur } from '../domain/catalog/billable-metric.js';
import { ALL_FILTER_VALUES } from '../domain/catalog/charge-filter.js';
import { evaluateExpression } from '../domain/metering/expression.js';
import { parseExpression } from '../domain/metering/expression-parser.js';
import { railsDecimal } from '../domain/money/decimal-string.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { type ErrorCode, notFound, validationFailed } from '../platform/http/errors.js';
import { limits, type Page, type PageRequest } from '../platform/http/pagination.js';
import { BillableMetricEntity, type BillableMetricRow } from './billable-metric.entity.js';
import type { ExpressionTrial, MetricChanges, MetricCreation } from './billable-metric.input.js';
import { ChargeFilterEntity } from './charge-filter.entity.js';
import { ChargeEntity } from './charge.entity.js';
import { ExpressionsOfEvents, MetricDefinitions } from './ports.js';
import { refuseChanges } from './refuse-changes.js';

/** What is measured. Every change that moves aggregates is told to metering inside its own transaction. */
@Injectable()
export class BillableMetricsService {
  constructor(
    private readonly database: Database,
    private readonly definitions: MetricDefinitions,
    private readonly expressions: ExpressionsOfEvents,
  ) {}

  create(organizationId: string, input: MetricCreation): Promise<BillableMetricRow> {
    requireConsistent({
      aggregationType: input.aggregation_type,
      fieldName: input.field_name,
      recurring: input.recurring ?? false,
      weightedInterval: input.weighted_interval,
      expression: input.expression,
    });
    return this.changing(organizationId, async (em) => {
      await requireFreeCode(em, organizationId, input.code);
      const now = new Date();
      const metric = em.create(BillableMetricEntity, {
        id: randomUUID(),
        organizationId,
        code: input.code,
        name: input.name,
        description: input.description ?? null,
        aggregationType: input.aggregation_type,
        fieldName: input.field_name || null,
        recurring: input.recurring ?? false,
        weightedInterval: input.weighted_interval ?? null,
        expression: input.expression || null,
        roundingFunction: input.rounding_function ?? null,
        roundingPrecision: input.rounding_precision ?? null,
        filters: input.filters ?? [],
        groupKeys: [],
        createdAt: now,
        updatedAt: now,
      });
      await em.flush();
      await this.definitions.changed(em, organizationId, metric.id);
      return metric;
    });
  }

  list(organizationId: string, page: PageRequest): Promise<Page<BillableMetricRow>> {
    return this.database.tenant(organizationId, async (em) => {
      const [items, totalCount] = await em.findAndCount(
        BillableMetricEntity,
        { organizationId, deletedAt: null },
        { orderBy: { createdAt: 'desc', id: 'asc' }, ...limits(page) },
      );
      return { items, totalCount };
    });
  }

  read(organizationId: string, code: string): Promise<BillableMetricRow> {
    return this.database.tenant(organizationId, (em) => findMetric(em, organizationId, code));
  }

  update(organizationId: string, code: string, input: MetricChanges): Promise<BillableMetricRow> {
    return this.changing(organizationId, async (em) => {
      const metric = await findMetric(em, organizationId, code);
      const before = meteredBy(metric);
      if (await isBilled(em, metric.id)) {
        const { code, aggregationType: aggregation_type, fieldName: field_name, recurring } = metric;
        refuseChanges(
          { code, aggregation_type, field_name, recurring },
          { ...input, field_name: input.field_name || undefined, recurring: input.recurring ?? undefined },
        );
      }
      if (input.code !== undefined && input.code !== metric.code) {
        await requireFreeCode(em, organizationId, input.code);
        metric.code = input.code;
      }
      if (input.name !== undefined) metric.name = input.name;
      if (input.description !== undefined) metric.description = input.description;
      if (input.aggregation_type !== undefined) metric.aggregationType = input.aggregation_type;
      if (input.field_name !== undefined) metric.fieldName = input.field_name || null;
      if (input.recurring != null) metric.recurring = input.recurring;
      if (input.weighted_interval !== undefined) metric.weightedInterval = input.weighted_interval;
      if (input.expression !== undefined) metric.expression = input.expression || null;
      if (input.rounding_function !== undefined) metric.roundingFunction = input.rounding_function;
      if (input.rounding_precision !== undefined) metric.roundingPrecision = input.rounding_precision;
      if (input.filters !== undefined) metric.filters = input.filters ?? [];
      requireConsistent(metric);
      metric.updatedAt = new Date();
      await em.flush();
      if (!isDeepStrictEqual(before, meteredBy(metric))) {
        await pruneChargeFilters(em, metric);
        await this.definitions.changed(em, organizationId, metric.id);
      }
      return metric;
    });
  }

  /** Takes its charges off all plans: what is billed from now on is billed without it. */
  delete(organizationId: string, code: string): Promise<BillableMetricRow> {
    return this.changing(organizationId, async (em) => {
      const metric = await findMetric(em, organizationId, code);
      const now = new Date();
      metric.deletedAt = now;
      await em.nativeUpdate(ChargeEntity, { billableMetricId: metric.id, deletedAt: null }, { deletedAt: now });
      await em.flush();
      await this.definitions.changed(em, organizationId, metric.id);
      return metric;
    });
  }

  private async changing<T>(organizationId: string, change: (em: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await this.database.tenant(organizationId, change);
    } finally {
      this.expressions.forget(organizationId);
    }
  }
}

/**
 * What an expression makes of an event that is not stored (lago-api.md 1.2). Without a time it happens now.
 * @throws 422 `expression: value_is_mandatory | invalid_expression`, `event: expression_evaluation_failed`.
 */
export function tryExpression({ expression, event }: ExpressionTrial, now: Date): string {
  if (!expression) throw validationFailed({ expression: ['value_is_mandatory'] });
  const parsed = parseExpression(expression);
  if (!parsed.ok) throw validationFailed({ expression: ['invalid_expression'] });
  const evaluation = evaluateExpression(parsed.expression, {
    code: event?.code ?? '',
    timestamp: Math.floor(Number(event?.timestamp ?? now.getTime() / 1000)),
    properties: event?.properties ?? {},
  });
  if (!evaluation.ok) throw validationFailed({ event: ['expression_evaluation_failed'] });
  return typeof evaluation.value === 'string' ? evaluation.value : railsDecimal(evaluation.value);
}

async function findMetric(em: EntityManager, organizationId: string, code: string): Promise<BillableMetricRow> {
  const metric = await em.findOne(BillableMetricEntity, { organizationId, code, deletedAt: null });
  if (!metric) throw notFound('billable_metric');
  return metric;
}

async function requireFreeCode(em: EntityManager, organizationId: string, code: string): Promise<void> {
  const taken = await em.count(BillableMetricEntity, { organizationId, code, deletedAt: null });
  if (taken > 0) throw validationFailed({ code: ['value_already_exist'] });
}

type Aggregated = Pick<
  BillableMetricRow,
  'aggregationType' | 'fieldName' | 'recurring' | 'weightedInterval' | 'expression'
>;

/**
 * What an aggregation asks of its metric (lago-api.md 1.2).
 * @throws 422 with every field that is missing or contradicts it.
 */
function requireConsistent({ aggregationType, fieldName, recurring, weightedInterval, expression }: Aggregated): void {
  const faults: Record<string, ErrorCode[]> = {};
  // Everything but a count adds up some property.
  if (aggregationType !== 'count_agg' && !fieldName) faults['field_name'] = ['value_is_mandatory'];
  if (aggregationType === 'weighted_sum_agg' && !weightedInterval) faults['weighted_interval'] = ['value_is_mandatory'];
  if (recurring && !mayRecur(aggregationType as AggregationKind)) {
    faults['recurring'] = ['not_compatible_with_aggregation_type'];
  }
  if (expression && !parseExpression(expression).ok) faults['expression'] = ['invalid_expression'];
  if (Object.keys(faults).length > 0) throw validationFailed(faults);
}

/** What the aggregates depend on; names and rounding they do not. */
function meteredBy({ code, aggregationType, fieldName, recurring, filters }: BillableMetricRow) {
  return { code, aggregationType, fieldName: fieldName ?? null, recurring, filters };
}

async function isBilled(em: EntityManager, metricId: string): Promise<boolean> {
  const [row] = await em.execute<{ billed: boolean }[]>(
    `select exists (
       select from charges c join subscriptions s on s.plan_id = c.plan_id
         left join subscription_terms t on t.subscription_id = s.id
        where c.billable_metric_id = ? and s.status in ('pending', 'active')
          /* Some keep a charge that their plan has no more. */
          and (c.deleted_at is null or t.difference->'charges'->(c.id::text)->>'presence' = 'kept')) as billed`,
    [metricId],
  );
  return row?.billed ?? false;
}

/** A filter of a charge cannot ask for what the metric no longer declares: such values go, and filters left empty too. */
async function pruneChargeFilters(em: EntityManager, metric: BillableMetricRow): Promise<void> {
  const declared = new Map(metric.filters.map(({ key, values }) => [key, new Set([...values, ALL_FILTER_VALUES])]));
  const charges = await em.find(ChargeEntity, { billableMetricId: metric.id, deletedAt: null });
  const filters = await em.find(ChargeFilterEntity, { chargeId: { $in: charges.map(({ id }) => id) } });
  for (const filter of filters) {
    const kept = Object.entries(filter.values).map(
      ([key, values]) => [key, values.filter((value) => declared.get(key)?.has(value))] as const,
    );
    if (kept.some(([, values]) => values.length === 0)) em.remove(filter);
    else filter.values = Object.fromEntries(kept);
  }
  await em.flush();
}
