import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { claim } from './data-dir.js';
import { worksOn } from './leftovers.js';
import { postgresPrograms, type PostgresPrograms } from './postgres-programs.js';
import { canReach, serverUser, type ServerUser, stateFolder } from './server-user.js';
import { rememberedPort, type Server, type ServerContext, untilAnswered } from './server.js';
import { commandLineOf, pidsWorkingIn, signal } from './process-identity.js';
import { runToEnd } from './run-to-end.js';
import { StackError } from './stack-error.js';

/**
 * The record's own Postgres: on loopback, with a password only this data folder knows, and everything on that makes
 * a commit survive (fsync, synchronous_commit).
 */
export async function postgresServer(context: ServerContext): Promise<Server> {
  const { data } = context;
  const user = serverUser();
  const folder = databaseFolder(context, user);
  const programs = await postgresPrograms(context, user, majorOf(folder));
  const password = data.recall('postgresPassword') ?? randomBytes(18).toString('base64url');
  if (data.recall('postgresPassword') !== password) data.remember({ postgresPassword: password });
  if (majorOf(folder) === undefined) await initialise(programs, folder, password, user, context);

  const port = await rememberedPort('postgres', 5432, context);
  const url = (database: string) => `postgresql://billow:${password}@127.0.0.1:${port}/${database}`;
  return {
    name: 'postgres',
    endpoints: { postgres: url('billow') },
    // Fast shutdown first; immediate, which costs a recovery at the next start, when a backend does not let go.
    stopSignals: [
      ['SIGINT', 15_000],
      ['SIGQUIT', 5_000],
    ],
    async launch() {
      await clearPidFile(folder);
      await endOrphanedBackends(folder);
      return {
        command: programs.postgres,
        args: ['-D', folder, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
        env: cleanEnv(context.env),
        cwd: folder,
        log: data.file('logs', 'postgres.log'),
        deathSignal: 'SIGINT',
        ...user,
      };
    },
    async ready(signal) {
      await untilAnswered(() => withClient(url('postgres'), ensureDatabase), signal);
    },
  };
}

const settings = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=512MB',
  'max_wal_size=4GB',
  'fsync=on',
  'synchronous_commit=on',
  'timezone=UTC',
  'log_timezone=UTC',
  'log_checkpoints=off',
];

/** Is an answer to be had at this address? For a Postgres that is not ours. */
export async function assertPostgresAnswers(url: string): Promise<void> {
  try {
    await withClient(url, (client) => client.query('select 1'));
  } catch (error) {
    throw StackError.withAdvice(
      `Postgres at DATABASE_URL does not answer: ${(error as Error).message}`,
      'Start it, correct DATABASE_URL, or unset it to use the embedded one.',
    );
  }
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {}); // a server that goes away between two calls shows in the next call
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

async function ensureDatabase(client: Client): Promise<void> {
  const { rowCount } = await client.query(`select 1 from pg_database where datname = 'billow'`);
  if (rowCount === 0) await client.query('create database billow');
}

/**
 * Postgres refuses to run as root, and the user it runs as may not get through to the data folder, as in a clone below
 * /root. Then the database lies in a state folder of the machine, and the data folder knows where.
 */
function databaseFolder({ data, report }: ServerContext, user: ServerUser | undefined): string {
  const known = data.recall('postgresDir');
  if (known && existsSync(join(known, 'PG_VERSION'))) return known;
  let folder = data.file('postgres');
  if (user && !canReach(user, data.path)) {
    const parent = stateFolder(data.path);
    claim(parent);
    folder = join(parent, 'postgres');
    rmSync(folder, { recursive: true, force: true }); // of a data folder deleted since, and its password with it
    report(`Postgres cannot reach ${data.path} as an unprivileged user; its files are in ${folder}`);
  }
  data.remember({ postgresDir: folder });
  return folder;
}

function majorOf(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'PG_VERSION'), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Into a folder beside it, renamed at the end: half a database is never taken for a whole one. */
async function initialise(
  programs: PostgresPrograms,
  folder: string,
  password: string,
  user: ServerUser | undefined,
  { env, report }: ServerContext,
): Promise<void> {
  report(`Postgres ${programs.version.join('.')}: creating the database (${programs.from})`);
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true }); // holds no PG_VERSION: nothing that could be read
  mkdirSync(part, { mode: 0o700 });
  const passwordFile = `${part}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user) {
    chownSync(part, user.uid, user.gid);
    chownSync(passwordFile, user.uid, user.gid);
  }
  try {
    await runToEnd(
      programs.initdb,
      [
        `--pgdata=${part}`,
        `--pwfile=${passwordFile}`,
        '--username=billow',
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The same order of text on every machine, and no dependence on the locales it has.
        ...((programs.version[0] ?? 0) >= 17
          ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
          : ['--locale=C']),
      ],
      { env: cleanEnv(env), cwd: part, ...user },
    );
    chmodSync(part, 0o700);
    renameSync(part, folder);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(part, { recursive: true, force: true });
  }
}

/**
 * The backends of a killed postmaster notice its death only when they wait for something; one in a long statement goes on,
 * holds the shared memory and bars the next start. Ended here, it loses nothing that was committed: for it as for the others
 * this is a crash, and recovery replays the log. They are known by their folder, which is the database's.
 */
async function endOrphanedBackends(folder: string): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const orphans = pidsWorkingIn(folder).filter((pid) => commandLineOf(pid).startsWith('postgres:'));
    if (orphans.length === 0) return;
    for (const pid of orphans) signal(pid, round < 40 ? 'SIGQUIT' : 'SIGKILL');
    await sleep(25);
  }
}

/**
 * A killed postmaster leaves its pid file. Postgres clears it away itself, unless the number now belongs to another process
 * of the same user: in containers, where numbers are small, that is common and would bar every further start.
 */
async function clearPidFile(folder: string): Promise<void> {
  const file = join(folder, 'postmaster.pid');
  for (let round = 0; round < 400; round++) {
    const pid = pidIn(file);
    if (pid === undefined) return;
    if (!worksOn(pid, folder)) return rmSync(file, { force: true });
    // A server nobody recorded, on a folder we have the lock of: from a run that died in the moment of starting it.
    if (round === 0) signal(pid, 'SIGINT');
    await sleep(25);
  }
}

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8').split('\n')[0]);
  } catch {
    return undefined;
  }
}

/** Nothing of the caller's PG… variables or locale may change what our server does. */
function cleanEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { PATH: env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}
