import { describe, expect, it } from '@jest/globals';
import type { ChargeFilter, PresentationKey } from './charge-filter.js';
import { chargeSlice } from './charge-slice.js';
import { isPresented, presentedPart } from './presentation.js';
import type { Charge } from './plan.js';

const keys = (...names: string[]): PresentationKey[] => names.map((name) => ({ name, onFees: true }));
const model = {} as ChargeFilter['model'];

type Presented = Pick<Charge, 'metric' | 'filters' | 'pricingGroupKeys' | 'presentationKeys'>;

const charge = (changes: Partial<Presented>): Presented => ({
  metric: { filters: [{ key: 'region', values: ['eu', 'us'] }] } as unknown as Charge['metric'],
  filters: [{ id: 'eu', values: { region: ['eu'] }, model }],
  ...changes,
});

describe('The part of a slice that usage is shown in', () => {
  const own = { id: 'eu', values: { region: ['eu'] }, model, presentationKeys: keys('cloud') };
  const usage = { region: 'eu', team: 'red', cloud: 'aws', user: '7' };

  it.each<[string, Partial<Presented>, Record<string, string | null>, Record<string, string | null>]>([
    ['no keys', {}, usage, {}],
    ['a key', { presentationKeys: keys('team') }, { ...usage, region: 'us' }, { team: 'red' }],
    ['two keys, one value', { presentationKeys: keys('team', 'x') }, usage, { team: 'red', x: null }],
    ['a filter has the keys of its charge', { presentationKeys: keys('team') }, usage, { team: 'red' }],
    ['a filter has its own', { presentationKeys: keys('team'), filters: [own] }, usage, { cloud: 'aws' }],
    ['only a filter has keys', { filters: [own] }, { ...usage, region: 'us' }, {}],
    ['in a group', { presentationKeys: keys('team'), pricingGroupKeys: ['user'] }, usage, { team: 'red' }],
  ])('%s', (_, changes, dimensions, presentedBy) => {
    const part = presentedPart(charge(changes), dimensions);
    expect(part.presentedBy).toEqual(presentedBy);
    expect(part.slice).toBe(chargeSlice(charge(changes), dimensions).key);
  });

  it('leaves the slices of the price as they are', () => {
    const priced = charge({ presentationKeys: keys('team') });
    const [red, blue, none] = ['red', 'blue', null].map((team) => presentedPart(priced, { region: 'us', team }));
    expect(new Set([red!.slice, blue!.slice, none!.slice]).size).toBe(1);
    expect(new Set([red!.key, blue!.key, none!.key]).size).toBe(3);
  });

  it('is of the keys that are asked for', () => {
    const priced = charge({ presentationKeys: keys('team', 'cloud') });
    expect(presentedPart(priced, usage, (name) => name === 'cloud').presentedBy).toEqual({ cloud: 'aws' });
  });

  it('is looked for where some price has keys', () => {
    const some = [charge({}), charge({ filters: [own] }), charge({ presentationKeys: keys('team') })];
    expect(some.map(isPresented)).toEqual([false, true, true]);
  });
});
