import { describe, expect, it } from '@jest/globals';
import { Decimal } from '../money/decimal.js';
import { highWater } from './high-water.js';

const steps = (...pairs: [number, number][]) =>
  pairs.map(([units, prorated]) => ({ units: new Decimal(units), prorated: new Decimal(prorated) }));

describe('the high-water mark of usage', () => {
  it.each([
    ['nothing', steps(), '0', '0'],
    ['only additions: all of them', steps([5, 5], [10, 4]), '15', '9'],
    ['taken away and added again below the peak', steps([10, 8], [-5, -4], [2, 1]), '10', '8'],
    ['above the peak, only what lies above', steps([10, 8], [-5, -4], [7, 3.5]), '12', '9'],
    ['never above nothing', steps([-3, -2], [2, 1]), '0', '0'],
    ['from below nothing', steps([-3, -2], [5, 2.5]), '2', '1'],
    ['rounded up', steps([1, 0.123451]), '1', '0.12346'],
  ])('%s', (_, given, units, prorated) => {
    const peak = highWater(given);
    expect([peak.units.toFixed(), peak.proratedUnits.toFixed()]).toEqual([units, prorated]);
  });
});
