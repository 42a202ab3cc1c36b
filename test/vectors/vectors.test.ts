import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { differences } from './compare.js';
import { faultsOf, readVectorFiles } from './vector-files.js';

const files = readVectorFiles(join(process.cwd(), 'test/acceptance/vectors'));

describe.each(files)('$name: $topic', (file) => {
  it.each(file.vectors.map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(faultsOf(file, vector)).toEqual([]);
  });
});

describe('the comparison', () => {
  it('sees a wrong number, a missing key, a wrong length and a wrong text', () => {
    expect(differences({ amount: '12.0' }, { amount: '12' })).toEqual([]);
    expect(differences({ amount: '12.0' }, { amount: '12.01' })).toHaveLength(1);
    expect(differences({ amount: '12.0' }, {})).toHaveLength(1);
    expect(differences([1, 2], [1])).toHaveLength(1);
    expect(differences({ at: '2022-01-01T00:00:00Z' }, { at: '2022-01-01T00:00:01Z' })).toHaveLength(1);
    expect(differences(null, '0')).toHaveLength(1);
  });

  it('counts a topic that nothing serves as wrong', () => {
    expect(faultsOf({ name: 'unknown.json', topic: '', vectors: [] }, { id: 'unknown-001' })).toHaveLength(1);
  });
});
