import { Decimal, ZERO } from '../money/decimal.js';

/** Bounds of a tier, both included; `toValue: null` is open. */
export interface TierBounds {
  readonly fromValue: Decimal;
  readonly toValue: Decimal | null;
}

/**
 * Two ways to write tiers. By one (0-10, 11-20): whole units, and the second tier holds what lies above 10. Touching
 * (0-0.1, 0.1-1): any units. Either way a tier starts where the one before ended, so that no fraction of a unit is lost.
 */
export function tiersTouch(tiers: readonly TierBounds[]): boolean {
  return tiers.some((tier, index) => index > 0 && tiers[index - 1]?.toValue?.equals(tier.fromValue));
}

/** Units below a tier: they belong to the tiers before it. */
export function tierFloor(tier: TierBounds, touching: boolean): Decimal {
  return touching || tier.fromValue.isZero() ? tier.fromValue : tier.fromValue.minus(1);
}

/**
 * How many of the total units fall into a tier.
 *
 * Example: 15 units, tier 11-20 -> 5; 0.5 units, touching tier 0.1-2 -> 0.4.
 */
export function unitsInTier(tier: TierBounds, totalUnits: Decimal, touching: boolean): Decimal {
  const reached = tier.toValue === null ? totalUnits : Decimal.min(totalUnits, tier.toValue);
  return Decimal.max(reached.minus(tierFloor(tier, touching)), ZERO);
}

/** The tiers that usage enters, in order. The first one always is: its flat amount is due at 0 units. */
export function tiersEntered<Tier extends TierBounds>(
  tiers: readonly Tier[],
  totalUnits: Decimal,
  touching: boolean,
): Tier[] {
  return tiers.filter((tier, index) => index === 0 || totalUnits.greaterThan(tierFloor(tier, touching)));
}

/** A tier's bounds as `amount_details` shows them. */
export function boundDetails(tier: TierBounds): { from_value: number; to_value: number | null } {
  return { from_value: tier.fromValue.toNumber(), to_value: tier.toValue?.toNumber() ?? null };
}
