import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { Client } from 'pg';
import { readJson } from '../../src/platform/stack/files.js';
import { identify } from '../../src/platform/stack/process-identity.js';
import {
  type Endpoints,
  readEndpoints,
  type RunningServers,
  startServers,
  startStack,
} from '../../src/platform/stack/stack.js';
import { searchAttributes } from '../../src/platform/temporal/search-attributes.js';

/** The stack on a folder of its own, in a process of its own where it has to be killed. Ports are whatever is free. */
const dataDir = mkdtempSync(join(tmpdir(), 'billow-stack-'));
chmodSync(dataDir, 0o755); // as root, Postgres runs as another user, and would have its files elsewhere
const env = { ...process.env };
for (const name of ['DATABASE_URL', 'NATS_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_UI_URL', 'PORT']) delete env[name];

let running: RunningServers | undefined;
const children: ChildProcess[] = [];

afterAll(async () => {
  await running?.stop();
  for (const child of children) child.kill('SIGKILL');
  const owner = readJson<{ pid: number }>(join(dataDir, 'lock'));
  if (owner) process.kill(owner.pid, 'SIGKILL'); // of a test that failed half-way
  rmSync(dataDir, { recursive: true, force: true });
});

// Most take a second or two; on a machine full of other work, more.
jest.setTimeout(60_000);

// Building the servers for the first time takes minutes.
const firstStart = 600_000;

describe('the embedded stack', () => {
  test(
    'a fresh start answers everywhere and says where',
    async () => {
      running = await startServers({ dataDir, env, fresh: true });

      expect(readEndpoints(dataDir)).toEqual(running.endpoints);
      expect(running.endpoints.processes.map(({ name }) => name)).toEqual(['postgres', 'nats', 'temporal']);
      await query('create table kept (id int); insert into kept values (1)');
      const durable = await query('show fsync');
      expect(durable).toEqual([{ fsync: 'on' }]);
      expect(readFileSync(join(dataDir, 'nats.conf'), 'utf8')).toContain('sync_interval: always');
      expect((await fetch(running.endpoints.temporal_ui)).status).toBe(200);
      expect(await namespaceAsFound()).toEqual({
        retentionDays: 90,
        searchAttributes: expect.arrayContaining(Object.keys(searchAttributes)),
      });
    },
    firstStart,
  );

  test('a second stack on the same folder is refused and told who has it', async () => {
    const second = startServers({ dataDir, env });
    await expect(second).rejects.toThrow(new RegExp(`already runs on .*pid ${process.pid}`));
    expect(readEndpoints(dataDir)).toEqual(running?.endpoints);
  });

  test.each(['postgres', 'nats', 'temporal'] as const)(
    'kill -9 of %s: it comes back at its address, and endpoints.json follows',
    async (name) => {
      const before = endpoints();
      const killed = pidOf(name);
      process.kill(killed, 'SIGKILL');

      await until(() => pidOf(name) !== killed);
      expect({ ...endpoints(), processes: [] }).toEqual({ ...before, processes: [] });
      expect(commandLine(pidOf(name))).toContain(dataDir);
      expect(await query('select id from kept')).toEqual([{ id: 1 }]);
      expect((await namespaceAsFound()).retentionDays).toBe(90);
    },
  );

  test('stopping leaves no process, no endpoints.json and no lock', async () => {
    const pids = endpoints().processes.map(({ pid }) => pid);
    await running?.stop();
    expect(pids.filter((pid) => identify(pid))).toEqual([]);
    expect(existsSync(join(dataDir, 'endpoints.json'))).toBe(false);
    expect(existsSync(join(dataDir, 'lock'))).toBe(false);
  });

  test('the second start takes a moment and finds the data', async () => {
    const since = Date.now();
    running = await startServers({ dataDir, env });
    expect(Date.now() - since).toBeLessThan(5_000);
    expect(await query('select id from kept')).toEqual([{ id: 1 }]);
    await running.stop();
  });

  test('kill -9 of the starter leaves no orphan, and its lock bars nobody', async () => {
    const starter = startElsewhere();
    await until(() => readEndpoints(dataDir) !== undefined);
    const pids = endpoints().processes.map(({ pid }) => pid);
    expect(pids).toHaveLength(3);

    starter.kill('SIGKILL');
    await once(starter, 'exit');
    await until(() => pids.every((pid) => !identify(pid)));
    expect(existsSync(join(dataDir, 'lock'))).toBe(true);

    running = await startServers({ dataDir, env });
    expect(await query('select id from kept')).toEqual([{ id: 1 }]);
    await running.stop();
  });

  test.each(['kernel', 'watcher'])('guarded by the %s, a child does not outlive its parent', async (mechanism) => {
    const log = join(dataDir, `${mechanism}.log`);
    const parent = runElsewhere(
      'orphan-guard.js',
      `const guard = new module.OrphanGuard('${mechanism}');
       const launch = { args: ['600'], env: process.env, cwd: '/', log: '${log}', deathSignal: 'SIGKILL' };
       const ended = guard.spawn({ ...launch, command: 'true', args: [] });
       ended.once('exit', () => console.log(guard.spawn({ ...launch, command: 'sleep' }).pid));`,
    );
    const [line] = (await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await until(() => commandLine(pid).startsWith('sleep'));
    parent.kill('SIGKILL');
    await until(() => !identify(pid));
  });

  test('kill -9 of the npm that runs the starter ends the stack in order', async () => {
    const script = join(dataDir, 'run.mjs');
    const module = pathToFileURL(resolve('dist/src/platform/stack/stack.js')).href;
    writeFileSync(
      script,
      `import { startServers, stopOnSignal } from ${JSON.stringify(module)};
       await stopOnSignal(await startServers({ dataDir: ${JSON.stringify(dataDir)}, servers: ['nats'] }));`,
    );
    const npm = start('npm', ['exec', '--', 'node', script]);
    await until(() => readEndpoints(dataDir) !== undefined);
    const pid = pidOf('nats');
    npm.kill('SIGKILL');
    await until(() => !identify(pid) && !existsSync(join(dataDir, 'lock')));
  });

  test('processes of ours follow the servers: a migration first, the api at its port again after a kill', async () => {
    const answer = 'require("node:http").createServer((_, a) => a.end(process.env.NATS_URL)).listen(process.env.PORT)';
    const migrate = 'require("node:fs").writeFileSync("migrated", "yes")';
    const node = (script: string) => ({ command: process.execPath, args: ['--eval', script], cwd: dataDir });
    running = await startStack({
      dataDir,
      env,
      servers: ['nats'],
      processes: [
        { name: 'migrate', ...node(migrate), once: true },
        { name: 'api', ...node(answer), port: 3000, ready: '/health' },
      ],
    });
    expect(existsSync(join(dataDir, 'migrated'))).toBe(true);
    const { api, nats } = endpoints();
    const killed = pidOf('api');
    process.kill(killed, 'SIGKILL');
    await until(() => pidOf('api') !== killed);
    expect(endpoints().api).toBe(api);
    expect(await (await fetch(api as string)).text()).toBe(nats);
    await running.stop();
    expect(endpointsAreGone()).toBe(true);

    const broken = { name: 'migrate', ...node('throw new Error("no such table")'), once: true };
    const failed = startStack({ dataDir, env, servers: ['nats'], processes: [broken] });
    await expect(failed).rejects.toThrow('no such table');
    expect(endpointsAreGone()).toBe(true);
  });

  test('a server left over from an earlier run is ended by the next', async () => {
    const leftover = start('sleep', ['600']);
    const identity = identify(leftover.pid as number);
    const bystander = start('sleep', ['600']);
    // The pid of the bystander with the start of another process: a number that came round again.
    const reused = { pid: bystander.pid as number, startedAt: 'another time' };
    const memory = JSON.parse(readFileSync(join(dataDir, 'stack.json'), 'utf8')) as object;
    const processes = { nats: identity, worker: reused };
    writeFileSync(join(dataDir, 'stack.json'), JSON.stringify({ ...memory, processes }));

    running = await startServers({ dataDir, env, servers: ['nats'] });
    expect(leftover.signalCode).toBe('SIGTERM');
    expect(bystander.signalCode).toBe(null);
    await running.stop();
  });

  test('fresh empties the folder, and no folder that is not ours', async () => {
    writeFileSync(join(dataDir, 'something'), '');
    running = await startServers({ dataDir, env, servers: ['nats'], fresh: true });
    expect(existsSync(join(dataDir, 'something'))).toBe(false);
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
    await running.stop();

    const foreign = mkdtempSync(join(tmpdir(), 'billow-foreign-'));
    writeFileSync(join(foreign, 'thesis.txt'), 'ten years of work');
    await expect(startServers({ dataDir: foreign, env, fresh: true })).rejects.toThrow('left alone');
    expect(existsSync(join(foreign, 'thesis.txt'))).toBe(true);
    rmSync(foreign, { recursive: true });
  });

  test('an address that does not answer is reported with what to do', async () => {
    const wrong = { ...env, NATS_URL: 'nats://127.0.0.1:1' };
    const started = startServers({ dataDir, env: wrong, servers: ['nats'] });
    await expect(started).rejects.toThrow(/NATS_URL does not answer[\s\S]*unset it to use the embedded one/);
  });
});

function endpoints(): Endpoints {
  const found = readEndpoints(dataDir);
  if (!found) throw new Error('there is no endpoints.json');
  return found;
}

function pidOf(name: string): number {
  return endpoints().processes.find((process) => process.name === name)?.pid ?? 0;
}

async function query(sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: endpoints().postgres });
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    return rows ?? [];
  } finally {
    await client.end();
  }
}

async function namespaceAsFound(): Promise<{ retentionDays: number; searchAttributes: string[] }> {
  const connection = await Connection.connect({ address: endpoints().temporal });
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'billow' });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'billow' });
    return {
      retentionDays: Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400,
      searchAttributes: Object.keys(customAttributes),
    };
  } finally {
    await connection.close();
  }
}

/** The stack under another process than this one, which can be killed. */
function startElsewhere(): ChildProcess {
  return runElsewhere(
    'stack.js',
    `await module.startServers({ dataDir: ${JSON.stringify(dataDir)} });
     setInterval(() => {}, 60_000);`,
  );
}

function runElsewhere(file: string, script: string): ChildProcess {
  const module = pathToFileURL(resolve('dist/src/platform/stack', file)).href;
  const whole = `const module = await import(${JSON.stringify(module)});\n${script}`;
  const args = ['--input-type=module', '--eval', whole];
  return start(process.execPath, args);
}

/** A child that does not outlive this file. */
function start(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

function endpointsAreGone(): boolean {
  return !existsSync(join(dataDir, 'endpoints.json'));
}

function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited 30 s in vain');
    await sleep(25);
  }
}
