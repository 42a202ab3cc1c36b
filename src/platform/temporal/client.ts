import { Client, Connection } from '@temporalio/client';
import type { Config } from '../config.js';

/** A client that connects on first use: a process starts, and answers for what needs no Temporal, while the server is away. */
export function createTemporalClient(config: Pick<Config, 'temporalAddress' | 'temporalNamespace'>): Client {
  const connection = Connection.lazy({ address: config.temporalAddress, connectTimeout: '3s' });
  return new Client({ connection, namespace: config.temporalNamespace });
}
