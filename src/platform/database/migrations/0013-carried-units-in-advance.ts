import { Migration } from '@mikro-orm/migrations';

/** Totals of usage in advance tell what a period began with from what came in it. */
export class CarriedUnitsInAdvance extends Migration {
  override name = '0013-carried-units-in-advance';

  override up(): void {
    /* Of periods before, what was paid counts as there from their start: it is shown so, and billed no more. */
    this.addSql(
      `update advance_totals set periods = (
         select coalesce(jsonb_object_agg(key, value || jsonb_build_object('carried', value->>'peak', 'weighted', '0')), '{}')
           from jsonb_each(periods)
       )`,
    );
  }
}
