import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson, writeAtomically } from './files.js';
import { buildFromModule, type GoModule, usableGo } from './go-build.js';
import { acquireLock } from './pid-lock.js';
import { findUpwards, type ToolContext } from './programs.js';
import { downloadRelease, type Release } from './release-download.js';
import { StackError } from './stack-error.js';

/** A server program this project can obtain by itself, pinned. */
export interface PinnedTool {
  /** The program's file name, and the first half of its folder in the cache. */
  name: string;
  version: string;
  /** For people. */
  title: string;
  module: GoModule;
  release: Release;
  /** What else would do, should nothing of this work. */
  alternative: string;
}

/**
 * The program from the tool cache, obtained first if it is not there: built from the pinned Go module, or, where there is no
 * Go, downloaded from its publisher. A stamp beside it names the version and the module's checksums, so an upgrade
 * builds anew; a lock lets several starts at once build one time.
 */
export async function cachedTool(tool: PinnedTool, context: ToolContext): Promise<string> {
  const folder = toolFolder(`${tool.name}-${tool.version}`, context.env);
  const program = join(folder, tool.name);
  const stampFile = join(folder, 'stamp.json');
  const wanted = stampOf(tool);
  const isThere = () => existsSync(program) && readJson<Stamp>(stampFile)?.sum === wanted.sum;
  if (isThere()) return program;

  const release = await waitForLock(join(folder, 'lock'), tool.title, context.report);
  try {
    if (isThere()) return program;
    // An earlier start that was killed may have left one, and its compiler may still be at it.
    for (const name of readdirSync(folder)) if (name.endsWith('.part')) rmSync(join(folder, name), { force: true });
    const part = join(folder, `${tool.name}.${process.pid}.part`);
    const obtained = await obtain(tool, part, context);
    renameSync(part, program); // one that runs keeps the old file
    writeAtomically(stampFile, `${JSON.stringify({ ...wanted, obtained }, null, 2)}\n`, 0o644);
    return program;
  } finally {
    release();
  }
}

/** The folder of one tool in the cache. Its name carries the version, so clones of different age can share the cache. */
export function toolFolder(name: string, env: NodeJS.ProcessEnv): string {
  const base = env.BILLOW_TOOLS_DIR || join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'billow');
  const folder = join(base, name);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw StackError.withAdvice(
      `The tool cache ${folder} cannot be written: ${(error as Error).message}`,
      'Make it writable, or name another folder in BILLOW_TOOLS_DIR.',
    );
  }
  return folder;
}

interface Stamp {
  version: string;
  sum: string;
}

function stampOf(tool: PinnedTool): Stamp {
  const hash = createHash('sha256').update(tool.version);
  for (const file of ['go.mod', 'go.sum']) {
    const path = findUpwards(join(tool.module.folder, file));
    if (path) hash.update(readFileSync(path));
  }
  return { version: tool.version, sum: hash.digest('hex') };
}

async function obtain(tool: PinnedTool, target: string, context: ToolContext): Promise<'built' | 'downloaded'> {
  const failures: string[] = [];
  const go = usableGo(context.env);
  const folder = findUpwards(tool.module.folder);
  if (go && folder) {
    try {
      await buildFromModule(go, { ...tool.module, folder }, target, tool.title, context);
      return 'built';
    } catch (error) {
      failures.push((error as Error).message);
    }
  } else {
    failures.push('There is no Go (1.21 or later) on PATH to build it with.');
  }
  try {
    await downloadRelease(tool.release, target, tool.title, context);
    return 'downloaded';
  } catch (error) {
    rmSync(target, { force: true });
    failures.push((error as Error).message);
  }
  throw StackError.withAdvice(
    [`${tool.title} ${tool.version} could not be obtained.`, ...failures.map((line) => `  ${line}`)].join('\n'),
    'With a network: install Go (https://go.dev/dl) and start again; it is built once and kept.',
    tool.alternative,
  );
}

async function waitForLock(path: string, title: string, report: (line: string) => void): Promise<() => void> {
  const since = Date.now();
  for (let round = 0; ; round++) {
    const lock = acquireLock(path);
    if ('release' in lock) return lock.release;
    if (round % 25 === 0) {
      report(
        `${title}: process ${lock.heldBy} is obtaining it; waiting … ${Math.round((Date.now() - since) / 1000)} s`,
      );
    }
    await sleep(200);
  }
}
