import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isAlive, type ProcessIdentity } from './process-identity.js';

/**
 * A lock that belongs to a process and dies with it: the file names its owner, and a file whose owner no longer runs is
 * worth nothing. Returns the owner if that is another living process, otherwise the release.
 */
export function acquireLock(path: string): { release: () => void } | { heldBy: number } {
  const mine = JSON.stringify(identify(process.pid));
  const part = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(part, mine);
  try {
    for (;;) {
      if (linked(part, path)) return { release: () => releaseIfMine(path, mine) };
      const found = contentOf(path);
      if (found === undefined) continue; // released between the two calls
      const owner = ownerIn(found);
      if (owner && isAlive(owner)) return { heldBy: owner.pid };
      removeStale(path, found);
    }
  } finally {
    rmSync(part, { force: true });
  }
}

/** A link fails when the name is taken, and the file behind it is complete from its first moment. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Two processes may find the same stale file; the slower one must not throw away the lock the quicker one took since. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // the other one was quicker
  }
  if (contentOf(aside) !== stale) linked(aside, path);
  rmSync(aside, { force: true });
}

function releaseIfMine(path: string, mine: string): void {
  if (contentOf(path) === mine) rmSync(path, { force: true });
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function ownerIn(content: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(content) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
