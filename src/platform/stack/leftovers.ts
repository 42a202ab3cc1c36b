import { setTimeout as sleep } from 'node:timers/promises';
import type { DataDir } from './data-dir.js';
import { commandLineOf, isAlive, type ProcessIdentity, signal } from './process-identity.js';

/**
 * Ends what an earlier run left behind: its parent was killed where no guard could act, or its machine slept through it.
 * Ended rather than adopted, so that every server runs with today's settings under today's supervision; their data stays.
 * Called with the folder's lock in hand, so the processes belong to nobody else.
 */
export async function endLeftovers(data: DataDir, report: (line: string) => void): Promise<void> {
  const recorded = Object.entries(data.recall('processes') ?? {});
  const alive = recorded.filter(([, identity]) => isAlive(identity));
  await Promise.all(
    alive.map(async ([name, identity]) => {
      report(`${name} of an earlier run is still there (pid ${identity.pid}): ending it`);
      await end(identity, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
    }),
  );
  if (recorded.length > 0) data.remember({ processes: {} });
}

/** True if the command line shows a program working on this path: what a pid file says may be long out of date. */
export function worksOn(pid: number, path: string): boolean {
  return commandLineOf(pid).includes(path);
}

async function end(identity: ProcessIdentity, gently: NodeJS.Signals): Promise<void> {
  signal(identity.pid, gently);
  if (await gone(identity, 10_000)) return;
  signal(identity.pid, 'SIGKILL');
  await gone(identity, 5_000);
}

async function gone(identity: ProcessIdentity, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await sleep(25);
  }
  return true;
}
