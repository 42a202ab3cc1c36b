import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch, OrphanGuard } from './orphan-guard.js';
import { identify, type ProcessIdentity, signal } from './process-identity.js';
import { StackError } from './stack-error.js';

export interface Supervised {
  readonly name: string;
  /** Asked before each start, so that a restart can clear away what the last run left. */
  launch(): Promise<Launch>;
  /** Resolves once it answers. Asked anew after each start; gives up when the signal says so. */
  ready(signal: AbortSignal): Promise<void>;
  /** Tried in this order, each with its patience, before SIGKILL. */
  readonly stopSignals: readonly (readonly [NodeJS.Signals, number])[];
}

export interface SupervisorEvents {
  /** A process was created; it does not answer yet. */
  spawned(identity: ProcessIdentity): void;
  /** It answers. */
  up(pid: number): void;
  report(line: string): void;
}

/**
 * Keeps one process up.
 *
 *     start ──► starting ──answers──► up ──exit──► waiting (0.2 s, doubling to 10 s) ──► starting …
 *                  └─exit or silence, first time─► start() fails, with the end of the log
 *
 * A first start that fails is a mistake somebody must see, so it is not repeated. After that the process has
 * proved that it can run, and is started again for ever. 30 s up count as recovered: the next wait is short again.
 */
export class Supervisor {
  private child: ChildProcess | undefined;
  private exit: Promise<string> = Promise.resolve('not started');
  private logStart = 0;
  private upSince = 0;
  private readonly stopping = new AbortController();
  private keeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly what: Supervised,
    private readonly guard: OrphanGuard,
    private readonly events: SupervisorEvents,
  ) {}

  get name(): string {
    return this.what.name;
  }

  async start(): Promise<void> {
    try {
      await this.attempt('first');
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.keeping = this.keepUp();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    for (const [name, patienceMs] of this.what.stopSignals) {
      if (!this.running()) break;
      this.child?.kill(name);
      await this.exited(patienceMs);
    }
    if (this.running()) {
      this.child?.kill('SIGKILL');
      await this.exited(5_000);
    }
    await this.keeping;
  }

  /** For the moment in which this process exits and cannot wait any more. */
  abandon(): void {
    this.stopping.abort();
    const pid = this.child?.pid;
    if (pid !== undefined && this.running()) signal(pid, this.what.stopSignals[0]?.[0] ?? 'SIGKILL');
  }

  private async keepUp(): Promise<void> {
    let waitMs = shortestWaitMs;
    let failures = 0;
    for (;;) {
      const reason = await this.exit;
      if (this.stopping.signal.aborted) return;
      if (this.upSince > 0 && Date.now() - this.upSince >= recoveredAfterMs) waitMs = shortestWaitMs;
      this.upSince = 0;
      this.events.report(`${this.name} ended (${reason}); starting it again in ${waitMs / 1000} s`);
      await this.pause(waitMs);
      if (this.stopping.signal.aborted) return;
      waitMs = Math.min(waitMs * 2, longestWaitMs);
      try {
        await this.attempt('again');
        failures = 0;
        this.events.report(`${this.name} is back (pid ${this.child?.pid})`);
      } catch (error) {
        if (this.stopping.signal.aborted) return; // stop() sees to the child
        // Not the end: the loop tries again. One failure may be a server still letting go of what it held; more are news.
        if (++failures >= 3) this.events.report((error as Error).message);
        if (this.running()) this.child?.kill('SIGKILL');
      }
    }
  }

  /** Starts it and waits for the answer. Silence fails a first start; later it is reported, and waited out. */
  private async attempt(which: 'first' | 'again'): Promise<void> {
    this.exit = Promise.resolve('before it ran');
    const launch = await this.what.launch();
    this.stopping.signal.throwIfAborted();
    mkdirSync(dirname(launch.log), { recursive: true });
    this.logStart = beginLog(launch.log);
    const child = this.guard.spawn(launch);
    this.child = child;
    this.exit = exitOf(child);
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity) this.events.spawned(identity);

    const asking = new AbortController();
    const exited = this.exit.then((reason) => {
      throw this.failure(`${this.name} could not be started: it ended (${reason}).`, launch);
    });
    const silent = this.whileSilent(which, launch, asking.signal);
    try {
      await Promise.race([this.what.ready(AbortSignal.any([asking.signal, this.stopping.signal])), exited, silent]);
    } finally {
      asking.abort();
      exited.catch(() => {}); // a later exit is the business of keepUp
      silent.catch(() => {});
    }
    this.upSince = Date.now();
    this.events.up(child.pid as number);
  }

  /** Never resolves; rejects when a first start has been silent for too long. */
  private async whileSilent(which: 'first' | 'again', launch: Launch, over: AbortSignal): Promise<never> {
    for (let seconds = 10; ; seconds += 10) {
      await sleep(10_000, undefined, { signal: over });
      this.events.report(`${this.name}: started, does not answer yet … ${seconds} s`);
      if (seconds < readyPatienceSeconds) continue;
      if (which === 'first') {
        throw this.failure(`${this.name} was started but does not answer after ${seconds} s.`, launch);
      }
      if (this.child?.pid !== undefined) this.events.up(this.child.pid); // whoever wants to look needs its pid
    }
  }

  private failure(problem: string, launch: Launch): StackError {
    const log = readFrom(launch.log, this.logStart);
    const lines = log.trim().split('\n').slice(-8);
    const advice = adviceFor(log) ?? `The whole log is in ${launch.log}`;
    return StackError.withAdvice([problem, ...lines.map((line) => `    ${line}`)].join('\n'), advice);
  }

  private running(): boolean {
    return this.child?.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  private exited(patienceMs: number): Promise<unknown> {
    const patience = new AbortController();
    const over = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => {});
    return Promise.race([this.exit, over]).finally(() => patience.abort());
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => {});
  }
}

const shortestWaitMs = 200;
const longestWaitMs = 10_000;
const recoveredAfterMs = 30_000;
const readyPatienceSeconds = 120; // a Postgres may have gigabytes of log to replay
const logLimitBytes = 50 * 1024 * 1024;

export function saysPortIsTaken(log: string): boolean {
  return /address already in use|could not bind|EADDRINUSE/i.test(log);
}

function adviceFor(log: string): string | undefined {
  if (/no space left on device|ENOSPC/i.test(log))
    return 'The disk is full: make room, or choose another BILLOW_DATA_DIR.';
  if (saysPortIsTaken(log)) return 'Another program took the port; end it, or start again for the next free one.';
  if (/could not map anonymous shared memory|Cannot allocate memory/i.test(log)) {
    return 'Not enough memory is free; the stack needs about 2 GB.';
  }
  if (/schema version|no such (table|column)/i.test(log)) {
    return 'The data are of another version of this server: bring that one back, or start with --fresh, which deletes them.';
  }
  return undefined;
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, by) => resolve(by ? `signal ${by}` : `exit code ${code}`));
  });
}

/** Logs are for the last runs; one that has grown large starts over. Returns where this run's lines begin. */
function beginLog(path: string): number {
  try {
    const { size } = statSync(path);
    if (size <= logLimitBytes) return size;
    truncateSync(path);
  } catch {
    // none yet
  }
  return 0;
}

function readFrom(path: string, start: number): string {
  try {
    const file = openSync(path, 'r');
    try {
      const length = Math.min(fstatSync(file).size - start, 64 * 1024);
      const buffer = Buffer.alloc(Math.max(length, 0));
      readSync(file, buffer, 0, buffer.length, fstatSync(file).size - buffer.length);
      return buffer.toString('utf8');
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
