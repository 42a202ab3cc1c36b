import { hash, randomBytes, randomUUID } from 'node:crypto';
import type { Database, EntityManager } from '../platform/database/database.js';
import { unauthorized } from '../platform/http/errors.js';
import { problemOf } from '../platform/http/problem-of.js';
import { ApiKeyEntity } from './api-key.entity.js';

/** Whom a request speaks for. */
export interface AuthenticatedOrganization {
  readonly organizationId: string;
  /** Whether any customer can live on a test clock: then an event's default timestamp has to be looked up. */
  readonly hasTestClocks: boolean;
}

interface CachedKey {
  readonly organization: Promise<AuthenticatedOrganization | null>;
  readonly loadedAt: number;
}

export interface ApiKeysOptions {
  /** How long a revoked key or a changed flag may go unnoticed. */
  readonly ttlMilliseconds?: number;
  /** How long a key that was good goes on being good while Postgres cannot be asked. */
  readonly graceMilliseconds?: number;
  readonly now?: () => number;
}

/** Unknown keys are remembered too, or each wrong request would cost a query; so the number of entries has an end. */
const MAX_CACHED = 10_000;

/**
 * From `Authorization: Bearer …` to an organization. Only the SHA-256 of a key is stored, and only that is compared. The
 * ingestion authenticates every event with it, so an answer is kept for some seconds in the process.
 */
export class ApiKeys {
  private readonly cache = new Map<string, CachedKey>();
  private readonly ttl: number;
  private readonly grace: number;
  private readonly now: () => number;

  constructor(
    private readonly database: Database,
    options: ApiKeysOptions = {},
  ) {
    this.ttl = options.ttlMilliseconds ?? 5_000;
    this.grace = options.graceMilliseconds ?? 60_000;
    this.now = options.now ?? Date.now;
  }

  /** @throws 401 for a header that names no living key, 503 when the database cannot be asked. */
  async authenticate(header: string | undefined): Promise<AuthenticatedOrganization> {
    const key = bearerToken(header);
    if (key === null) throw unauthorized();
    const organization = await this.find(hash('sha256', key, 'hex'));
    if (organization === null) throw unauthorized();
    return organization;
  }

  /** After a flag of an organization has changed: this process reads it anew, others within the time to live. */
  async forget(organizationId: string): Promise<void> {
    for (const [keyHash, cached] of this.cache) {
      const organization = await cached.organization.catch(() => null);
      if (organization?.organizationId === organizationId) this.cache.delete(keyHash);
    }
  }

  private find(keyHash: string): Promise<AuthenticatedOrganization | null> {
    const cached = this.cache.get(keyHash);
    const now = this.now();
    if (cached && now - cached.loadedAt < this.ttl) return cached.organization;
    const entry: CachedKey = { organization: this.load(keyHash), loadedAt: now };
    this.remember(keyHash, entry);
    return entry.organization.catch((error: unknown) => {
      // What failed is no answer: the next request asks again, with the last good answer to fall back on.
      this.restore(keyHash, entry, cached);
      // Postgres is away. Events still reach the log, so a key that was good a moment ago still opens the door.
      if (cached && now - cached.loadedAt < this.grace && problemOf(error).status === 503) return cached.organization;
      throw error;
    });
  }

  private remember(keyHash: string, entry: CachedKey): void {
    if (this.cache.size >= MAX_CACHED) {
      const oldest = this.cache.keys().next();
      if (!oldest.done) this.cache.delete(oldest.value);
    }
    this.cache.set(keyHash, entry);
  }

  private restore(keyHash: string, failed: CachedKey, previous: CachedKey | undefined): void {
    if (this.cache.get(keyHash) !== failed) return;
    if (previous) this.cache.set(keyHash, previous);
    else this.cache.delete(keyHash);
  }

  private async load(keyHash: string): Promise<AuthenticatedOrganization | null> {
    const rows = await this.database.system((em) =>
      em.execute<{ organization_id: string; has_test_clocks: boolean }[]>(
        `select k.organization_id, o.has_test_clocks
           from api_keys k join organizations o on o.id = k.organization_id
          where k.key_hash = decode(?, 'hex') and k.revoked_at is null`,
        [keyHash],
      ),
    );
    const row = rows[0];
    return row ? { organizationId: row.organization_id, hasTestClocks: row.has_test_clocks } : null;
  }
}

/** Makes a key and stores its hash. The key itself is shown this once. */
export function issueApiKey(em: EntityManager, organizationId: string, createdAt: Date): string {
  const key = `blw_${randomBytes(32).toString('base64url')}`;
  em.create(ApiKeyEntity, {
    id: randomUUID(),
    organizationId,
    keyHash: Buffer.from(hash('sha256', key, 'hex'), 'hex'),
    lastFour: key.slice(-4),
    createdAt,
  });
  return key;
}

/** The token of a `Bearer` header, null when there is none. */
export function bearerToken(header: string | undefined): string | null {
  const match = /^Bearer +([^\s]+)\s*$/i.exec(header ?? '');
  return match?.[1] ?? null;
}
