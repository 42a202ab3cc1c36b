import type { ChargeModel } from '../catalog/charge.js';
import { atLeastZero } from '../money/decimal.js';
import { rateDynamic } from './dynamic.js';
import { rateGraduated } from './graduated.js';
import { rateGraduatedPercentage } from './graduated-percentage.js';
import { ratePackage } from './package.js';
import { ratePercentage } from './percentage.js';
import type { MeteredUsage, RatedAmount } from './rated-amount.js';
import { rateStandard } from './standard.js';
import { rateVolume } from './volume.js';

/**
 * The price of usage under a charge model: amounts in currency units, not rounded. Negative units and amounts are zero
 * (reference 2.3). A pure function of its arguments: rating a period again gives the same amount.
 *
 * Example: standard 5.12345, 10 units -> amount 51.2345, unit amount 5.12345.
 */
export function rate(model: ChargeModel, usage: MeteredUsage): RatedAmount {
  const rated = rateModel(model, { ...usage, units: atLeastZero(usage.units) });
  return { ...rated, amount: atLeastZero(rated.amount), unitAmount: atLeastZero(rated.unitAmount) };
}

function rateModel(model: ChargeModel, usage: MeteredUsage): RatedAmount {
  switch (model.kind) {
    case 'standard':
      return rateStandard(model, usage);
    case 'graduated':
      return rateGraduated(model, usage);
    case 'graduated_percentage':
      return rateGraduatedPercentage(model, usage);
    case 'package':
      return ratePackage(model, usage);
    case 'percentage':
      return ratePercentage(model, usage);
    case 'volume':
      return rateVolume(model, usage);
    case 'dynamic':
      return rateDynamic(usage);
    default:
      return model satisfies never;
  }
}
