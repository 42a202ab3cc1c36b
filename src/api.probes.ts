import { jetstreamManager } from '@nats-io/jetstream';
import type { Client } from '@temporalio/client';
import type { Database } from './platform/database/database.js';
import type { ReadinessProbe } from './platform/http/readiness.js';
import type { NatsLink } from './platform/nats/nats-link.js';

const DEADLINE_MS = 900;

/** Each asks for what the api really uses: a transaction, JetStream, the namespace of the workflows. */
export function readinessProbes(
  database: Database,
  nats: NatsLink,
  temporal: Client,
  namespace: string,
): ReadinessProbe[] {
  return [
    {
      name: 'postgres',
      async check() {
        await database.system((em) => em.execute('select 1'));
      },
    },
    {
      name: 'nats',
      async check(signal) {
        if (!nats.connected) throw new Error('not connected');
        const connection = await nats.whenConnected(signal);
        await jetstreamManager(connection, { timeout: DEADLINE_MS });
      },
    },
    {
      name: 'temporal',
      async check() {
        await temporal.withDeadline(Date.now() + DEADLINE_MS, () =>
          temporal.connection.workflowService.describeNamespace({ namespace }),
        );
      },
    },
  ];
}
