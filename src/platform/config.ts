import { z } from 'zod';

const schema = z.object({
  databaseUrl: z.string().min(1),
  natsUrl: z.string().min(1),
  temporalAddress: z.string().min(1),
  temporalNamespace: z.string().default('billow'),
  temporalRetentionDays: z.coerce.number().int().positive().default(90),
  temporalTaskQueue: z.string().default('billing'),
  temporalUiUrl: z.string().optional(),
  host: z.string().default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65535).default(3000),
  adminToken: z.string().min(1).default('billow-dev-admin'),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  /** JetStream partitions; a subscription stays in one. Changing it needs a drained stream. */
  usagePartitions: z.coerce.number().int().min(1).max(256).default(2),
  /** Copies of the usage stream in a JetStream cluster. */
  usageReplicas: z.coerce.number().int().min(1).max(5).default(1),
  /** Events that may wait for JetStream's acknowledgement in one api process before it answers 503. */
  ingestMaxPendingEvents: z.coerce.number().int().positive().default(50_000),
  /** Month-end closes on the wall clock are spread over so many seconds by a hash of the customer. */
  billingSpreadSeconds: z.coerce.number().int().min(0).default(0),
  /** How long closes of one customer and instant wait for a sibling that does not come. */
  siblingPatienceSeconds: z.coerce.number().int().min(0).default(600),
  /** Days after a declined attempt at which collection tries again. */
  collectionRetryDays: z
    .string()
    .default('3,5,7')
    .transform((days) => days.split(',').filter(Boolean).map(Number))
    .pipe(z.array(z.number().positive())),
  /** Overrides Stripe's address, for a fake in tests. */
  stripeApiBase: z.string().optional(),
});

export type Config = Readonly<z.infer<typeof schema>>;

const names: Record<keyof Config, string> = {
  databaseUrl: 'DATABASE_URL',
  natsUrl: 'NATS_URL',
  temporalAddress: 'TEMPORAL_ADDRESS',
  temporalNamespace: 'TEMPORAL_NAMESPACE',
  temporalRetentionDays: 'TEMPORAL_RETENTION_DAYS',
  temporalTaskQueue: 'TEMPORAL_TASK_QUEUE',
  temporalUiUrl: 'TEMPORAL_UI_URL',
  host: 'HOST',
  port: 'PORT',
  adminToken: 'BILLOW_ADMIN_TOKEN',
  logLevel: 'LOG_LEVEL',
  usagePartitions: 'BILLOW_USAGE_PARTITIONS',
  usageReplicas: 'BILLOW_USAGE_REPLICAS',
  ingestMaxPendingEvents: 'BILLOW_INGEST_MAX_PENDING_EVENTS',
  billingSpreadSeconds: 'BILLOW_BILLING_SPREAD_SECONDS',
  siblingPatienceSeconds: 'BILLOW_SIBLING_PATIENCE_SECONDS',
  collectionRetryDays: 'BILLOW_COLLECTION_RETRY_DAYS',
  stripeApiBase: 'BILLOW_STRIPE_API_BASE',
};

/** Reads the environment once, at the start of a process; a wrong or missing variable is named in the error. */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const raw = Object.fromEntries(
    Object.entries(names).map(([key, name]) => [key, env[name] === '' ? undefined : env[name]]),
  );
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `  ${names[issue.path[0] as keyof Config] ?? issue.path.join('.')}: ${issue.message}`,
  );
  throw new Error(`The configuration cannot be used:\n${problems.join('\n')}`);
}
