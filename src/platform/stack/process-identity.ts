import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * A process, told apart from a later one that was given the same number. Pids come round again, quickly so in containers
 * that restart, and what we end by pid must be what we started.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Since boot in kernel ticks, or the date `ps` prints; only ever compared for equality. Survives `exec`. */
  readonly startedAt: string;
}

export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = startOf(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export function isAlive(process: ProcessIdentity): boolean {
  return startOf(process.pid) === process.startedAt;
}

/** The command line of a running process, or '' when there is none to be seen. */
export function commandLineOf(pid: number): string {
  try {
    if (hasProc) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return ps(pid, 'command=');
  } catch {
    return '';
  }
}

/** The processes whose current folder this is, as far as this machine lets us see. */
export function pidsWorkingIn(folder: string): number[] {
  if (!hasProc) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === folder;
      } catch {
        return false; // gone meanwhile, or another user's
      }
    })
    .map(Number);
}

export function parentOf(pid: number): number | undefined {
  try {
    return Number(hasProc ? statOf(pid)[1] : ps(pid, 'ppid='));
  } catch {
    return undefined;
  }
}

export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false; // gone already
  }
}

const hasProc = process.platform === 'linux';

function startOf(pid: number): string | undefined {
  try {
    if (!hasProc) return ps(pid, 'lstart=') || undefined;
    const [state, , ...rest] = statOf(pid);
    return state === 'Z' || state === 'X' ? undefined : `${bootId()}/${rest[17]}`; // the 22nd field of all
  } catch {
    return undefined;
  }
}

/** The fields of /proc/<pid>/stat from the third on: state, parent, … The second is a name and may hold anything. */
function statOf(pid: number): string[] {
  const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return line.slice(line.lastIndexOf(')') + 2).split(' ');
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8);
  } catch {
    return '';
  }
}

function ps(pid: number, column: string): string {
  return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim();
}
