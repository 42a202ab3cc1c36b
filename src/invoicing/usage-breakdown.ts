import type { RatedCharge } from '../catalog/rated-plan.js';
import type { Dimensions, PresentationKey } from '../domain/catalog/charge-filter.js';
import { isPresented, presentationKeys, presentedPart } from '../domain/catalog/presentation.js';
import type { Decimal } from '../domain/money/decimal.js';
import type { SliceRequest, UsageSlice } from '../metering/index.js';

/** Units of a line that have the same values of its price's presentation keys. */
export interface UsagePart {
  readonly presentedBy: Dimensions;
  readonly keys: readonly PresentationKey[];
  /** What there is, not weighted by time. */
  readonly units: Decimal;
}

/**
 * What breakdowns are asked for: names of keys, values of keys, or both; of an empty list none at all. Lago's reference
 * calls the items values and shows values, its answers are cut to keys of these names: either is taken.
 */
export type AskedPresentation = readonly string[];

/** The parts of one slice (`chargeSlice(…).key`) of a charge. */
export type PartsOf = (charge: RatedCharge, slice: string) => readonly UsagePart[];

/**
 * The usage of charges by the presentation keys of their prices, as further requests beside those that are rated: read in the
 * same statements, and without any effect on what is rated. Charges without keys ask for nothing.
 *
 * The units of a part are by the metric's aggregation of that part alone: unique counts and maxima of the parts do not add
 * up to those of the line.
 */
export class UsageBreakdown {
  private readonly asked: readonly AskedOfCharge[];

  constructor(charges: readonly RatedCharge[], asked: AskedPresentation | null) {
    const presented = asked?.length === 0 ? [] : charges.filter(({ charge }) => isPresented(charge));
    this.asked = presented.map((charge) => askedOf(charge, asked ?? []));
  }

  get requests(): SliceRequest[] {
    return this.asked.map(({ charge: { charge }, shown }) => ({
      metric: charge.metric,
      sliceOf: (dimensions) => presentedPart(charge, dimensions, shown).key,
    }));
  }

  /** `answers` in the order of the requests. */
  partsIn(answers: readonly (readonly UsageSlice[])[]): PartsOf {
    const found = new Map<RatedCharge, Map<string, UsagePart[]>>();
    for (const [index, { charge, shown, keeps }] of this.asked.entries()) {
      const bySlice = new Map<string, UsagePart[]>();
      for (const { dimensions, usage } of answers[index]!) {
        const { slice, keys, presentedBy } = presentedPart(charge.charge, dimensions, shown);
        if (keys.length === 0 || !keeps(presentedBy)) continue;
        const part = { presentedBy, keys, units: usage.units };
        const others = bySlice.get(slice);
        if (others === undefined) bySlice.set(slice, [part]);
        else others.push(part);
      }
      for (const parts of bySlice.values()) parts.sort(byValues);
      found.set(charge, bySlice);
    }
    return (charge, slice) => found.get(charge)?.get(slice) ?? [];
  }
}

interface AskedOfCharge {
  readonly charge: RatedCharge;
  readonly shown: (name: string) => boolean;
  readonly keeps: (presentedBy: Dimensions) => boolean;
}

function askedOf(rated: RatedCharge, asked: AskedPresentation): AskedOfCharge {
  const { charge } = rated;
  const known = new Set(
    [null, ...charge.filters].flatMap((filter) => presentationKeys(charge, filter).map(({ name }) => name)),
  );
  const names = new Set(asked.filter((item) => known.has(item)));
  const values = new Set<string | null>(asked.filter((item) => !known.has(item)));
  return {
    charge: rated,
    shown: (name) => names.size === 0 || names.has(name),
    keeps: (presentedBy) => values.size === 0 || Object.values(presentedBy).some((value) => values.has(value)),
  };
}

/** By the values of the keys, in the order of their names; usage without a value comes last. */
export function byValues(
  { presentedBy: one }: Pick<UsagePart, 'presentedBy'>,
  { presentedBy: other }: Pick<UsagePart, 'presentedBy'>,
): number {
  for (const key of Object.keys(one).sort()) {
    const a = one[key] ?? null;
    const b = other[key] ?? null;
    if (a === b) continue;
    return b === null || (a !== null && a < b) ? -1 : 1;
  }
  return 0;
}
