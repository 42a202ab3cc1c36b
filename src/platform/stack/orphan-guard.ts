import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface Launch {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** File that gets the output. Not a pipe: a dead parent must not make the child fail while it shuts down. */
  log: string;
  /** What the child gets when this process is gone, however it went. */
  deathSignal: 'SIGKILL' | 'SIGINT';
  uid?: number;
  gid?: number;
}

/**
 * Starts children that do not outlive this process, even when it is killed with -9 and can do nothing more itself. On Linux
 * the kernel sees to it (PR_SET_PDEATHSIG, set by `setpriv`); elsewhere a shell waits at the end of a pipe and ends
 * what is on its list when the pipe closes. Either way the child's pid is that of the real program, not of a wrapper.
 *
 * Every child leads a session of its own: Ctrl-C at the terminal reaches this process only, which then stops the
 * others in order.
 */
export class OrphanGuard {
  private watcher: ChildProcess | undefined;

  constructor(private readonly mechanism: 'kernel' | 'watcher' = kernelGuards() ? 'kernel' : 'watcher') {}

  spawn(launch: Launch): ChildProcess {
    const output = openSync(launch.log, 'a');
    try {
      const [command, args] = this.mechanism === 'kernel' ? guarded(launch) : [launch.command, launch.args];
      const child = spawn(command, args, {
        env: launch.env,
        cwd: launch.cwd,
        stdio: ['ignore', output, output],
        detached: true,
        ...(launch.uid === undefined ? {} : { uid: launch.uid, gid: launch.gid }),
      });
      if (this.mechanism === 'watcher') this.watch(child, launch);
      return child;
    } finally {
      closeSync(output);
    }
  }

  close(): void {
    this.watcher?.stdin?.end();
    this.watcher = undefined;
  }

  private watch(child: ChildProcess, launch: Launch): void {
    if (child.pid === undefined) return;
    this.watcher ??= startWatcher();
    const tell = (line: string) => this.watcher?.stdin?.write(`${line}\n`);
    tell(`add ${child.pid} ${launch.deathSignal.slice(3)}`);
    child.once('exit', () => tell(`drop ${child.pid}`));
  }
}

/** The shell closes the gap in which this process could die before the kernel was asked: its parent is then another one. */
function guarded({ command, args, deathSignal }: Launch): [string, string[]] {
  const execIfParentLives = '[ "$PPID" = "$0" ] && exec "$@"';
  const shell = ['sh', '-c', execIfParentLives, String(process.pid), command, ...args];
  return ['setpriv', ['--pdeathsig', deathSignal.slice(3), ...shell]];
}

function kernelGuards(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    execFileSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function startWatcher(): ChildProcess {
  const watcher = spawn('sh', ['-c', watcherScript], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
  watcher.unref();
  watcher.stdin?.on('error', () => {}); // it went before us: nothing left to tell it
  (watcher.stdin as unknown as { unref?: () => void }).unref?.();
  return watcher;
}

const watcherScript = `
list=''
while read -r op pid signal; do
  kept=''
  for entry in $list; do [ "\${entry%%:*}" = "$pid" ] || kept="$kept $entry"; done
  list=$kept
  [ "$op" = add ] && list="$list $pid:$signal"
done
for entry in $list; do kill -s "\${entry#*:}" "\${entry%%:*}"; done
`;
