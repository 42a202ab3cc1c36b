import type { ChargeFilterRow } from './charge-filter.entity.js';
import type { ChargeRow } from './charge.entity.js';
import { type BasePlan, differenceFrom, keptParts, type PlanDifference, withDifference } from './plan-difference.js';
import type { ChargeRows, FixedChargeRows, PlanRows } from './plan-rows.js';

const at = new Date('2024-01-01T00:00:00Z');

const filter = (region: string, amount: string, position = 0) =>
  ({
    id: `filter-${region}`,
    position,
    values: { region: [region] },
    properties: { amount },
  }) as unknown as ChargeFilterRow;

const charge = (id: string, amount: string, filters: ChargeFilterRow[] = []): ChargeRows => ({
  charge: {
    id,
    code: id,
    chargeModel: 'standard',
    properties: { amount },
    taxCodes: [],
    createdAt: at,
  } as unknown as ChargeRow,
  metric: {} as ChargeRows['metric'],
  filters,
});

const seats = (units: string): FixedChargeRows => ({
  fixedCharge: { id: 'seats', code: 'seats', units, taxCodes: [] } as unknown as FixedChargeRows['fixedCharge'],
  addOn: {} as FixedChargeRows['addOn'],
});

const plan = (parts: Partial<BasePlan> & { amountCents?: number } = {}): BasePlan => ({
  plan: {
    id: 'plan',
    name: 'Plan',
    amountCents: parts.amountCents ?? 100,
    taxCodes: [],
  } as unknown as PlanRows['plan'],
  charges: [charge('calls', '1', [filter('eu', '2'), filter('us', '3', 1)])],
  fixedCharges: [seats('10')],
  commitment: null,
  formerCharges: [],
  formerFixedCharges: [],
  ...parts,
});

/** What a subscription has, in one line per part. */
function told(rows: PlanRows): string[] {
  return [
    `${rows.plan.name} ${rows.plan.amountCents}`,
    ...rows.charges.flatMap(({ charge: { id, properties }, filters }) => [
      `${id} ${String(properties['amount'])}`,
      ...filters.map((one) => `  ${String(one.values['region'])} ${String(one.properties['amount'])}`),
    ]),
    ...rows.fixedCharges.map(({ fixedCharge }) => `${fixedCharge.id} ${fixedCharge.units}`),
    ...(rows.commitment ? [`at least ${rows.commitment.amountCents}`] : []),
  ];
}

/** Through JSON, as it is stored. */
const stored = (difference: PlanDifference) => JSON.parse(JSON.stringify(difference)) as PlanDifference;

const commitment = (amountCents: number) =>
  ({ id: 'least', amountCents, taxCodes: [], createdAt: at, updatedAt: at }) as unknown as PlanRows['commitment'];

const wanted: [name: string, wanted: PlanRows, difference: PlanDifference][] = [
  ['nothing', plan(), {}],
  ['another amount', plan({ amountCents: 7 }), { plan: { amountCents: 7 } }],
  [
    'a price of its own',
    plan({ charges: [charge('calls', '9', plan().charges[0]!.filters as ChargeFilterRow[])] }),
    { charges: { calls: { fields: { properties: { amount: '9' } } } } },
  ],
  [
    'a filter with another price, one less and one more',
    plan({ charges: [charge('calls', '1', [filter('eu', '5'), filter('asia', '6', 2)])] }),
    {
      charges: {
        calls: {
          filters: [
            { values: { region: ['eu'] }, fields: { properties: { amount: '5' } } },
            {
              values: { region: ['asia'] },
              own: { id: 'filter-asia', position: 2 },
              fields: { invoiceDisplayName: null, properties: { amount: '6' } },
            },
            { values: { region: ['us'] }, absent: true },
          ],
        },
      },
    },
  ],
  ['a charge less', plan({ charges: [] }), { charges: { calls: { presence: 'absent' } } }],
  ['other units', plan({ fixedCharges: [seats('50')] }), { fixedCharges: { seats: { fields: { units: '50' } } } }],
  [
    'a minimum',
    plan({ commitment: commitment(500) }),
    {
      commitment: {
        own: { id: 'least', createdAt: at.toISOString(), updatedAt: at.toISOString() },
        fields: { amountCents: 500, invoiceDisplayName: null, taxCodes: [] },
      },
    },
  ],
];

describe('what a subscription has differently', () => {
  it.each(wanted)('%s', (_, rows, difference) => {
    const found = stored(differenceFrom(plan(), rows));
    expect(found).toEqual(difference);
    expect(told(withDifference(plan(), found))).toEqual(told(rows));
  });

  it('values equal to those of the plan are no terms of its own', () => {
    const had = stored(differenceFrom(plan(), plan({ amountCents: 7 })));
    expect(differenceFrom(plan({ amountCents: 7 }), withDifference(plan({ amountCents: 7 }), had))).toEqual({});
  });
});

const own = stored(
  differenceFrom(plan(), plan({ charges: [charge('calls', '1', [filter('eu', '99'), filter('us', '3', 1)])] })),
);
const edits: [name: string, edited: BasePlan, cascaded: string[]][] = [
  [
    'a filter it has customized',
    plan({ charges: [charge('calls', '1', [filter('eu', '15'), filter('us', '3', 1)])] }),
    ['Plan 100', 'calls 1', '  eu 99', '  us 3', 'seats 10'],
  ],
  [
    'a filter it has not',
    plan({ charges: [charge('calls', '1', [filter('eu', '2'), filter('us', '15', 1)])] }),
    ['Plan 100', 'calls 1', '  eu 99', '  us 15', 'seats 10'],
  ],
  [
    'one more filter',
    plan({ charges: [charge('calls', '1', [filter('eu', '2'), filter('asia', '8', 2)])] }),
    ['Plan 100', 'calls 1', '  eu 99', '  asia 8', 'seats 10'],
  ],
  [
    'one more charge',
    plan({ charges: [...plan().charges, charge('sms', '4')] }),
    ['Plan 100', 'calls 1', '  eu 99', '  us 3', 'sms 4', 'seats 10'],
  ],
  ['no charge', plan({ charges: [] }), ['Plan 100', 'seats 10']],
  [
    'amount, units and a minimum',
    plan({ amountCents: 1, fixedCharges: [seats('3')], commitment: commitment(5) }),
    ['Plan 1', 'calls 1', '  eu 99', '  us 3', 'seats 3', 'at least 5'],
  ],
];

describe('an edit of the plan', () => {
  const had = told(withDifference(plan(), own));

  it.each(edits)('of %s leaves a subscription with terms of its own as it was', (_, edited) => {
    const base = { ...edited, formerCharges: plan().charges, formerFixedCharges: plan().fixedCharges };
    const pinned = stored(differenceFrom(base, withDifference(plan(), own)));
    expect(told(withDifference(base, pinned))).toEqual(had);
  });

  it.each(edits)('of %s reaches it where it is not customized, when it cascades', (_, edited, cascaded) => {
    const difference = stored(differenceFrom(edited, withDifference(edited, own)));
    expect(told(withDifference(edited, difference))).toEqual(cascaded);
  });

  it('that takes a charge off keeps it, by name, for those who had terms of their own', () => {
    const base = { ...plan({ charges: [] }), formerCharges: plan().charges };
    const pinned = differenceFrom(base, withDifference(plan(), own));
    expect(keptParts([pinned, {}])).toEqual({ charges: ['calls'], fixedCharges: [] });
  });
});
