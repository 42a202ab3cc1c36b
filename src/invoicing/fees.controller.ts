import { Body, Controller, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LockMode } from '@mikro-orm/core';
import { z } from 'zod';
import { CustomerEntity } from '../customers/customer.entity.js';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { Database, type EntityManager } from '../platform/database/database.js';
import { methodNotAllowed, notFound } from '../platform/http/errors.js';
import { currency } from '../platform/http/fields.js';
import { metaOf, pageQuery } from '../platform/http/pagination.js';
import { uuidInPath } from '../platform/http/path.js';
import { instantFilter, textFilter } from '../platform/http/query-fields.js';
import { wrapped } from '../platform/http/request.pipe.js';
import { DeleteRoute, ListRoute, ReadRoute, UpdateRoute } from '../platform/http/routes.js';
import { presentOn } from '../test-clocks/clock-time.js';
import { FeeEntity, type FeeRow } from './fee.entity.js';
import { feeAnswer, feeJson } from './fee.mapping.js';
import { feeViews } from './fee-view.js';

const FEE_TYPES = ['charge', 'add_on', 'subscription', 'credit', 'commitment', 'fixed_charge'] as const;

const PAYMENT_STATUSES = ['pending', 'succeeded', 'failed', 'refunded'] as const;

const updateBody = wrapped('fee', z.object({ payment_status: z.enum(PAYMENT_STATUSES) }));

const listQuery = z.object({
  ...pageQuery,
  external_customer_id: textFilter(),
  external_subscription_id: textFilter(),
  event_transaction_id: textFilter(),
  currency: currency().optional(),
  fee_type: z.enum(FEE_TYPES).optional(),
  billable_metric_code: textFilter(),
  payment_status: z.enum(PAYMENT_STATUSES).optional(),
  created_at_from: instantFilter('from'),
  created_at_to: instantFilter('to'),
  succeeded_at_from: instantFilter('from'),
  succeeded_at_to: instantFilter('to'),
  failed_at_from: instantFilter('from'),
  failed_at_to: instantFilter('to'),
  refunded_at_from: instantFilter('from'),
  refunded_at_to: instantFilter('to'),
});
type ListQuery = z.infer<typeof listQuery>;

@ApiTags('fees')
@Controller('api/v1/fees')
export class FeesController {
  constructor(private readonly database: Database) {}

  /** In the order in which they were made. */
  @ListRoute('', 'fees', feeAnswer)
  list(@Organization() { organizationId }: AuthenticatedOrganization, @Query({ schema: listQuery }) query: ListQuery) {
    return this.database.tenant(organizationId, async (em) => {
      const { ids, totalCount } = await listFeeIds(em, organizationId, query);
      const fees = await em.find(FeeEntity, { id: { $in: ids } });
      const byId = new Map(fees.map((fee) => [fee.id, fee]));
      const views = await feeViews(
        em,
        ids.map((id) => byId.get(id) as FeeRow),
      );
      return { fees: views.map(feeJson), meta: metaOf(query, totalCount) };
    });
  }

  @ReadRoute(':lago_id', 'fee', feeAnswer)
  read(@Organization() { organizationId }: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.database.tenant(organizationId, async (em) => answer(em, await findFee(em, organizationId, lagoId)));
  }

  /** Who collects a fee that stands alone says here how it went. The status of any other is that of its invoice. */
  @UpdateRoute(':lago_id', 'fee', feeAnswer)
  update(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Param('lago_id') lagoId: string,
    @Body({ schema: updateBody }) { fee: { payment_status: status } }: z.infer<typeof updateBody>,
  ) {
    return this.database.tenant(organizationId, async (em) => {
      const fee = await findFee(em, organizationId, lagoId);
      if (fee.invoiceable) throw methodNotAllowed('invoiceable_fee');
      const customer = await em.findOneOrFail(CustomerEntity, { id: fee.customerId });
      settle(fee, status, await presentOn(em, customer.testClockId));
      await em.flush();
      return answer(em, fee);
    });
  }

  /** Only what stands on no invoice can go. */
  @DeleteRoute(':lago_id', 'fee', feeAnswer)
  delete(@Organization() { organizationId }: AuthenticatedOrganization, @Param('lago_id') lagoId: string) {
    return this.database.tenant(organizationId, async (em) => {
      const fee = await findFee(em, organizationId, lagoId);
      if (fee.invoiceId != null) throw methodNotAllowed('invoiced_fee');
      fee.deletedAt = new Date();
      await em.flush();
      return answer(em, fee);
    });
  }
}

async function findFee(em: EntityManager, organizationId: string, lagoId: string): Promise<FeeRow> {
  const id = uuidInPath(lagoId, 'fee');
  const lockMode = LockMode.PESSIMISTIC_WRITE;
  const fee = await em.findOne(FeeEntity, { organizationId, id, deletedAt: null }, { lockMode });
  if (fee === null) throw notFound('fee');
  return fee;
}

async function answer(em: EntityManager, fee: FeeRow) {
  const [view] = await feeViews(em, [fee]);
  return { fee: feeJson(view!) };
}

function settle(fee: FeeRow, status: (typeof PAYMENT_STATUSES)[number], at: Date): void {
  if (fee.paymentStatus === status) return;
  fee.paymentStatus = status;
  if (status === 'succeeded') fee.succeededAt = at;
  if (status === 'failed') fee.failedAt = at;
  if (status === 'refunded') fee.refundedAt = at;
}

async function listFeeIds(em: EntityManager, organizationId: string, query: ListQuery) {
  const conditions = conditionsOf(organizationId, query);
  const from = `fees f join customers c on c.id = f.customer_id left join subscriptions s on s.id = f.subscription_id
     where ${conditions.map(([sql]) => sql).join(' and ')}`;
  const params = conditions.flatMap(([, value]) => (value === undefined ? [] : [value]));
  const rows = await em.execute<{ id: string }[]>(
    `select f.id from ${from}
      order by f.created_at, f.billing_period_id, f.position, f.cutoff_sequence, f.id limit ? offset ?`,
    [...params, query.per_page, (query.page - 1) * query.per_page],
  );
  const [count] = await em.execute<{ count: number }[]>(`select count(*)::int as count from ${from}`, params);
  return { ids: rows.map(({ id }) => id), totalCount: count?.count ?? 0 };
}

type Condition = readonly [sql: string, value?: string | Date];

function conditionsOf(organizationId: string, query: ListQuery): Condition[] {
  const candidates: Condition[] = [
    ['c.external_id = ?', query.external_customer_id],
    ['s.external_id = ?', query.external_subscription_id],
    ['f.amount_currency = ?', query.currency],
    ['f.fee_type = ?', query.fee_type],
    [`f.fee_type = 'charge' and f.item->>'code' = ?`, query.billable_metric_code],
    ['f.payment_status = ?', query.payment_status],
    ['f.created_at >= ?', query.created_at_from],
    ['f.created_at <= ?', query.created_at_to],
    ['f.succeeded_at >= ?', query.succeeded_at_from],
    ['f.succeeded_at <= ?', query.succeeded_at_to],
    ['f.failed_at >= ?', query.failed_at_from],
    ['f.failed_at <= ?', query.failed_at_to],
    ['f.refunded_at >= ?', query.refunded_at_from],
    ['f.refunded_at <= ?', query.refunded_at_to],
    ['f.event_transaction_id = ?', query.event_transaction_id],
  ];
  return [
    ['f.organization_id = ?', organizationId],
    ['f.deleted_at is null'],
    ...candidates.filter(([, value]) => value !== undefined),
  ];
}
