import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readJson, writeAtomically } from './files.js';
import { acquireLock } from './pid-lock.js';
import type { ProcessIdentity } from './process-identity.js';
import { StackError } from './stack-error.js';

/**
 * The one folder that holds all of a stack's data. It carries a marker, and nothing is ever deleted in a folder without
 * it; it is locked by the process that runs the stack; and it remembers ports, the database's password and which processes
 * were started, so that the next run finds the servers where they were and the leftovers of a crash by name.
 */
export class DataDir {
  private memory: Memory;

  private constructor(
    readonly path: string,
    private readonly releaseLock: () => void,
  ) {
    this.memory = readJson<Memory>(this.file('stack.json')) ?? {};
  }

  static open(folder: string): DataDir {
    claim(resolve(folder));
    const path = realpathSync(folder); // as the kernel names it, since processes are known by their folders
    const lock = acquireLock(join(path, 'lock'));
    if ('heldBy' in lock) {
      throw StackError.withAdvice(
        `A stack already runs on ${path} (pid ${lock.heldBy}); its addresses are in ${join(path, 'endpoints.json')}.`,
        `End it first (Ctrl-C there, or: kill ${lock.heldBy}), or choose another folder with BILLOW_DATA_DIR.`,
      );
    }
    return new DataDir(path, lock.release);
  }

  file(...names: string[]): string {
    return join(this.path, ...names);
  }

  folder(...names: string[]): string {
    const path = this.file(...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  recall<K extends keyof Memory>(key: K): Memory[K] {
    return this.memory[key];
  }

  remember(change: Partial<Memory>): void {
    this.memory = { ...this.memory, ...change };
    writeAtomically(this.file('stack.json'), `${JSON.stringify(this.memory, null, 2)}\n`);
  }

  portOf(name: string): number | undefined {
    return this.memory.ports?.[name];
  }

  rememberPort(name: string, port: number): void {
    this.remember({ ports: { ...this.memory.ports, [name]: port } });
  }

  rememberProcess(name: string, identity: ProcessIdentity): void {
    this.remember({ processes: { ...this.memory.processes, [name]: identity } });
  }

  /** Everything but the marker and the lock goes, and with it the database if it had to be kept elsewhere. */
  empty(): void {
    const elsewhere = this.memory.postgresDir;
    if (elsewhere && !elsewhere.startsWith(this.path) && existsSync(join(elsewhere, '..', markerName))) {
      rmSync(join(elsewhere, '..'), { recursive: true, force: true });
    }
    for (const name of readdirSync(this.path)) {
      if (name !== markerName && name !== 'lock') rmSync(this.file(name), { recursive: true, force: true });
    }
    this.memory = {};
  }

  close(): void {
    this.releaseLock();
  }
}

interface Memory {
  ports?: Record<string, number>;
  postgresPassword?: string;
  /** Where the database really lies: see the postgres server for when that is not inside this folder. */
  postgresDir?: string;
  processes?: Record<string, ProcessIdentity>;
}

/** Makes the folder ours, or refuses one that holds something else. */
export function claim(path: string): void {
  const isNew = !existsSync(path);
  try {
    mkdirSync(path, { recursive: true });
    // Postgres may run as another user than we do and must get through, whatever the umask.
    if (isNew) chmodSync(path, 0o755);
    const marker = join(path, markerName);
    if (existsSync(marker)) return;
    if (!isNew && readdirSync(path).length > 0) {
      throw StackError.withAdvice(
        `${path} is not empty and was not made by Billow, so it is left alone.`,
        'Choose another folder with BILLOW_DATA_DIR.',
      );
    }
    writeFileSync(marker, 'Data of an embedded Billow stack. `billow dev --fresh` empties this folder.\n');
  } catch (error) {
    if (error instanceof StackError) throw error;
    throw StackError.withAdvice(
      `${path} cannot be used for data: ${(error as Error).message}`,
      'Make it writable, or choose another folder with BILLOW_DATA_DIR.',
    );
  }
}

const markerName = '.billow-data';
