import type { ClientBase, Pool } from 'pg';

/** Per partition, the stream sequence up to which everything is stored. */
export async function readWatermarks(client: ClientBase | Pool): Promise<Map<number, number>> {
  const { rows } = await client.query<{ partition: number; stream_sequence: string }>(
    'select partition, stream_sequence from partition_watermarks',
  );
  return new Map(rows.map((row) => [row.partition, Number(row.stream_sequence)]));
}
