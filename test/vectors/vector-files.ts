import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { differences } from './compare.js';
import { topicOf, type Vector } from './topics.js';

export interface VectorFile {
  readonly name: string;
  readonly topic: string;
  readonly vectors: readonly Vector[];
}

/** Every vector file of a folder, by name. */
export function readVectorFiles(folder: string): VectorFile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const { topic, vectors } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Omit<VectorFile, 'name'>;
      return { name, topic, vectors };
    });
}

/** What is wrong with our answer to a row; empty when nothing is. A row of a topic that nothing serves is wrong. */
export function faultsOf(file: VectorFile, vector: Vector): string[] {
  const topic = topicOf(file.name, vector.id);
  if (!topic) return ['nothing serves this topic yet'];
  try {
    const { expected, actual } = topic(vector);
    return differences(expected, actual);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
