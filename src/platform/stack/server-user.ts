import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StackError } from './stack-error.js';

export interface ServerUser {
  uid: number;
  gid: number;
}

/** Whom Postgres runs as: nobody special, unless we are root, which it refuses. Then `postgres`, or a user made for it. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return userNamed('postgres') ?? userNamed('billow') ?? createUser();
}

/** May this user pass through every folder up to and including `path`, and read it? */
export function canReach(user: ServerUser, path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
    if (((mode >> shift) & 1) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** A folder every user can pass, one for each data folder, for what must not lie below a closed home. Only for root. */
export function stateFolder(key: string): string {
  const folder = join('/var/lib/billow', createHash('sha256').update(key).digest('hex').slice(0, 12));
  for (const path of [dirname(folder), folder]) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o755);
  }
  return folder;
}

function createUser(): ServerUser {
  const attempts: [string, string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'billow']],
    ['adduser', ['-S', '-D', '-H', '-s', '/bin/false', 'billow']], // busybox
  ];
  for (const [command, args] of attempts) {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
    } catch {
      continue;
    }
    const user = userNamed('billow');
    if (user) return user;
  }
  throw StackError.withAdvice(
    'Postgres does not run as root, and there is neither a user `postgres` nor a program (useradd) to make one.',
    'Run as an ordinary user, create a user named `postgres`, or give the address of a database in DATABASE_URL.',
  );
}

function userNamed(name: string): ServerUser | undefined {
  try {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((candidate) => candidate.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(':') ?? [];
    return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
  } catch {
    return undefined;
  }
}
