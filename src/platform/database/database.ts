import { IsolationLevel, MikroORM, type EntitySchema } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Foundation } from './migrations/0001-foundation.js';
import { LinksOfFees } from './migrations/0002-links-of-fees.js';
import { MeteringOfEveryAggregation } from './migrations/0003-metering-of-every-aggregation.js';
import { TermsOfPlans } from './migrations/0004-terms-of-plans.js';
import { LivesOfSubscriptions } from './migrations/0005-lives-of-subscriptions.js';
import { FeesOfEveryKind } from './migrations/0006-fees-of-every-kind.js';
import { UsagePaidInAdvance } from './migrations/0007-usage-paid-in-advance.js';
import { CreditNotes } from './migrations/0008-credit-notes.js';
import { PresentationOfFees } from './migrations/0009-presentation-of-fees.js';
import { MovedSubscriptions } from './migrations/0010-moved-subscriptions.js';
import { InvoicesOfNothing } from './migrations/0011-invoices-of-nothing.js';
import { DaysOfUniqueValues } from './migrations/0012-days-of-unique-values.js';
import { CarriedUnitsInAdvance } from './migrations/0013-carried-units-in-advance.js';

export type { EntityManager } from '@mikro-orm/postgresql';

/**
 * The record. Business code reaches Postgres by three doors only:
 *
 * - `tenant(organizationId, work)`: one transaction as role `billow_tenant`, in which row-level security shows the rows of
 *   that organization and no other;
 * - `snapshot(organizationId, work)`: the same to read only, with all statements seeing the database as the first one did;
 * - `system(work)`: one transaction as the owner, for what has no organization yet (looking up an API key) or spans all of
 *   them (sweeps).
 *
 * All hand a fresh EntityManager, so identity maps never leak between requests or activities.
 */
export class Database {
  private constructor(readonly orm: MikroORM<PostgreSqlDriver>) {}

  static async connect(url: string, entities: EntitySchema[], options: { poolSize?: number } = {}): Promise<Database> {
    const orm = await MikroORM.init<PostgreSqlDriver>({
      driver: PostgreSqlDriver,
      clientUrl: url,
      entities,
      // The sandbox of an activity or request is its own fork; the global one is never used for work.
      allowGlobalContext: false,
      forceUtcTimezone: true,
      pool: { min: 0, max: options.poolSize ?? 10 },
      discovery: { warnWhenNoEntities: false },
      extensions: [Migrator],
      migrations: {
        tableName: 'schema_migrations',
        migrationsList: [
          Foundation,
          LinksOfFees,
          MeteringOfEveryAggregation,
          TermsOfPlans,
          LivesOfSubscriptions,
          FeesOfEveryKind,
          UsagePaidInAdvance,
          CreditNotes,
          PresentationOfFees,
          MovedSubscriptions,
          InvoicesOfNothing,
          DaysOfUniqueValues,
          CarriedUnitsInAdvance,
        ],
        snapshot: false,
        transactional: true,
        allOrNothing: true,
      },
    });
    return new Database(orm);
  }

  /** Brings the schema up to date; safe to call from several processes at once. */
  async migrate(): Promise<void> {
    const em = this.orm.em.fork();
    // Two processes that start together would otherwise both run the same migration.
    await em.transactional(async (tx) => {
      await tx.execute(`select pg_advisory_xact_lock(hashtext('billow.migrations'))`);
      await this.orm.migrator.up();
    });
  }

  tenant<T>(organizationId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.tenantManager(organizationId).transactional((tx) => work(tx as EntityManager));
  }

  snapshot<T>(organizationId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.tenantManager(organizationId).transactional((tx) => work(tx as EntityManager), {
      isolationLevel: IsolationLevel.REPEATABLE_READ,
      readOnly: true,
    });
  }

  system<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return (this.orm.em.fork() as EntityManager).transactional((tx) => work(tx as EntityManager));
  }

  private tenantManager(organizationId: string): EntityManager {
    return this.orm.em.fork({
      session: { role: 'billow_tenant', variables: { 'billow.organization_id': organizationId } },
    }) as EntityManager;
  }

  async close(): Promise<void> {
    await this.orm.close();
  }
}
