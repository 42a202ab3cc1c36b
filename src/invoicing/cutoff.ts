import type { EntityManager } from '../platform/database/database.js';
import { lastIngestSequence } from '../platform/nats/usage-streams.js';

/**
 * The cutoff of a reading under the partition's lock: everything stored is at or below it, and nothing is added while the
 * lock is held. 0 while the partition has stored nothing yet.
 */
export async function storedCutoff(em: EntityManager, partition: number): Promise<number> {
  const [row] = await em.execute<{ stream_sequence: string }[]>(
    'select stream_sequence from partition_watermarks where partition = ?',
    [partition],
  );
  return row === undefined ? 0 : lastIngestSequence(Number(row.stream_sequence));
}
