import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import { searchAttributes, type SearchAttributeName } from './search-attributes.js';

/**
 * Brings the namespace to the state the workflows need: it exists, keeps closed runs for `retentionDays`, and knows every
 * search attribute. Asks first and changes only what differs, so it runs at each start of the embedded stack and in
 * production's `migrate` alike, from several processes at once. Returns when a query by the attributes is answered: a
 * fresh registration takes the server's caches a moment, and a workflow started before that would fail.
 */
export async function ensureNamespace(
  address: string,
  namespace: string,
  retentionDays: number,
  options: { connectTimeoutMs?: number; usableTimeoutMs?: number } = {},
): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: options.connectTimeoutMs ?? 10_000 });
  const deadline = Date.now() + (options.usableTimeoutMs ?? 30_000);
  try {
    await ensureRetention(connection, namespace, retentionDays * 86_400_000);
    await ensureSearchAttributes(connection, namespace, deadline);
    await untilUsable(connection, namespace, deadline);
  } finally {
    await connection.close();
  }
}

async function ensureRetention(connection: Connection, namespace: string, retentionMs: number): Promise<void> {
  const workflowExecutionRetentionTtl = msNumberToTs(retentionMs);
  const found = await unless(statusCode.notFound, connection.workflowService.describeNamespace({ namespace }));
  if (!found) {
    const registration = connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: workflowExecutionRetentionTtl,
    });
    await unless(statusCode.alreadyExists, registration);
    return;
  }
  if (Number(found.config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000 === retentionMs) return;
  await connection.workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl } });
}

async function ensureSearchAttributes(connection: Connection, namespace: string, deadline: number): Promise<void> {
  // A namespace registered a moment ago is not yet seen by every part of the server.
  const known = await until(deadline, () => connection.operatorService.listSearchAttributes({ namespace }));
  const missing = Object.entries(searchAttributes).filter(([name]) => known.customAttributes[name] === undefined);
  if (missing.length === 0) return;
  await unless(
    statusCode.alreadyExists,
    connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, indexedValueType[type]])),
    }),
  );
}

async function untilUsable(connection: Connection, namespace: string, deadline: number): Promise<void> {
  const example: SearchAttributeName = 'NeedsAttention';
  const query = `${example} = true`;
  await until(deadline, () => connection.workflowService.countWorkflowExecutions({ namespace, query }));
}

async function until<T>(deadline: number, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** The answer, or nothing if the call failed with just this gRPC status. */
async function unless<T>(code: number, call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if ((error as { code?: number }).code === code) return undefined;
    throw error;
  }
}

const statusCode = { notFound: 5, alreadyExists: 6 } as const;

/** temporal.api.enums.v1.IndexedValueType, as numbers: the package of the protocol is not a dependency of ours. */
const indexedValueType = { KEYWORD: 2, INT: 3, BOOL: 5, DATETIME: 6 } as const;
