import { statfsSync } from 'node:fs';
import { DataDir } from './data-dir.js';
import { untilAskedToEnd } from './end-request.js';
import { type Endpoints, removeEndpoints, writeEndpoints } from './endpoints.js';
import { endLeftovers } from './leftovers.js';
import { assertNatsAnswers, natsServer } from './nats.server.js';
import { OrphanGuard } from './orphan-guard.js';
import { ownProcess, type ProcessSpec, runOnce, serverEnvironment } from './own-process.js';
import { assertPostgresAnswers, postgresServer } from './postgres.server.js';
import type { Server, ServerContext, ServerName } from './server.js';
import { StackError } from './stack-error.js';
import { saysPortIsTaken, type Supervised, Supervisor } from './supervisor.js';
import { assertTemporalAnswers, namespaceOf, temporalServer } from './temporal.server.js';

export type { Endpoints } from './endpoints.js';
export { readEndpoints } from './endpoints.js';
export type { ProcessSpec } from './own-process.js';
export type { ServerName } from './server.js';
export { StackError } from './stack-error.js';

export interface StackOptions {
  /** The one folder for all data; made if it is missing. */
  dataDir: string;
  /** Empty the folder first. */
  fresh?: boolean;
  /** One line for a person: what is going on, what takes time, what was started again. */
  report?: (line: string) => void;
  /** All three unless said otherwise. */
  servers?: ServerName[];
  /** Instead of this process' environment. */
  env?: NodeJS.ProcessEnv;
}

export interface RunningServers {
  readonly dataDir: string;
  /** As of now: pids change when something had to be started again. */
  readonly endpoints: Endpoints;
  /** The environment for a process that is to work on these servers. */
  readonly env: NodeJS.ProcessEnv;
  /** Starts processes of ours on the servers and keeps them up. */
  startProcesses(processes: ProcessSpec[]): Promise<void>;
  /** Ends everything this stack started, in order; external servers are left alone. Can be called more than once. */
  stop(): Promise<void>;
}

export type RunningStack = RunningServers;

/**
 * Postgres, NATS JetStream and Temporal, each from the first place that has it: an address in the environment, a program on
 * PATH, the tool cache. Resolves when all of them answer. From then on `endpoints.json` in the data folder says where,
 * a server that dies is started again at its old address, and none outlives this process.
 */
export async function startServers(options: StackOptions): Promise<RunningServers> {
  return startStack({ ...options, processes: [] });
}

/** The servers, then processes of ours on them. `endpoints.json` appears when the last one answers. */
export async function startStack(options: StackOptions & { processes: ProcessSpec[] }): Promise<RunningStack> {
  const data = DataDir.open(options.dataDir);
  const stack = new Stack(data, options.env ?? process.env, options.report ?? (() => {}));
  try {
    await endLeftovers(data, options.report ?? (() => {}));
    if (options.fresh) data.empty();
    removeEndpoints(data.path);
    assertRoom(data.path);
    await stack.startServers(options.servers ?? ['postgres', 'nats', 'temporal']);
    await stack.startProcesses(options.processes);
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** Waits until somebody wants the stack to end, by a signal or by killing the npm that runs us, and stops it. */
export async function stopOnSignal(stack: RunningServers, onEnd: (reason: string) => void = () => {}): Promise<void> {
  onEnd(await untilAskedToEnd());
  await stack.stop();
}

class Stack implements RunningServers {
  private readonly guard = new OrphanGuard();
  private readonly taken = new Set<number>();
  private readonly servers: Supervisor[] = [];
  private readonly processes: Supervisor[] = [];
  private readonly pids = new Map<string, number>();
  private addresses: Omit<Endpoints, 'processes'> = { temporal: '', temporal_ui: '', nats: '', postgres: '' };
  private complete = false;
  private stopped: Promise<void> | undefined;
  private readonly onExit = () => this.abandon();

  constructor(
    private readonly data: DataDir,
    private readonly callerEnv: NodeJS.ProcessEnv,
    private readonly report: (line: string) => void,
  ) {
    process.once('exit', this.onExit);
  }

  get dataDir(): string {
    return this.data.path;
  }

  get endpoints(): Endpoints {
    const order = [...this.servers, ...this.processes].map(({ name }) => name);
    const processes = order.flatMap((name) => {
      const pid = this.pids.get(name);
      return pid === undefined ? [] : [{ name, pid }];
    });
    return { ...this.addresses, processes };
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...this.callerEnv,
      ...serverEnvironment(this.endpoints),
      TEMPORAL_NAMESPACE: namespaceOf(this.callerEnv),
      BILLOW_DATA_DIR: this.data.path,
    };
  }

  async startServers(names: ServerName[]): Promise<void> {
    const start = async (name: ServerName) => {
      try {
        await this.startServer(name);
      } catch (error) {
        // Said at once: another server may be minutes from built.
        this.report(`${name}: ${(error as Error).message.split('\n')[0]}`);
        throw error;
      }
    };
    await all(names.map(start));
    this.servers.sort((a, b) => names.indexOf(a.name as ServerName) - names.indexOf(b.name as ServerName));
  }

  async startProcesses(specs: ProcessSpec[]): Promise<void> {
    this.complete = false;
    let together: Promise<void>[] = [];
    for (const spec of specs) {
      if (!spec.once) {
        together.push(this.startProcess(spec));
        continue;
      }
      await all(together);
      together = [];
      await runOnce(spec, this.env);
    }
    await all(together);
    this.complete = true;
    this.publish();
  }

  stop(): Promise<void> {
    this.stopped ??= this.stopInOrder();
    return this.stopped;
  }

  private async startServer(name: ServerName): Promise<void> {
    const external = externalServers[name];
    const url = this.callerEnv[external.variable];
    if (url) {
      await external.assertAnswers(url, this.callerEnv);
      Object.assign(this.addresses, external.endpoints(url, this.callerEnv));
      this.report(`${name}: ${url.replace(/\/\/.*@/, '//')} (from ${external.variable})`);
      return;
    }
    const since = Date.now();
    const context: ServerContext = { data: this.data, env: this.callerEnv, report: this.report, taken: this.taken };
    for (let attempt = 1; ; attempt++) {
      const server = await ownServers[name](context);
      const supervisor = this.supervisorOf(server);
      try {
        await supervisor.start();
      } catch (error) {
        // Somebody was quicker at the port between our look and the server's: the next look finds another one.
        if (attempt < 3 && error instanceof StackError && saysPortIsTaken(error.message)) continue;
        throw error;
      }
      this.servers.push(supervisor);
      Object.assign(this.addresses, server.endpoints);
      const where = server.endpoints[name]?.replace(/\/\/.*@/, '//');
      this.report(`${name}: ${where} (${((Date.now() - since) / 1000).toFixed(1)} s)`);
      return;
    }
  }

  private async startProcess(spec: ProcessSpec): Promise<void> {
    const process = await ownProcess(spec, this.data, this.env, this.taken);
    const supervisor = this.supervisorOf(process);
    this.processes.push(supervisor);
    await supervisor.start();
    if (spec.name === 'api' && process.url) this.addresses.api = process.url;
    this.report(process.url ? `${spec.name}: ${process.url}` : `${spec.name}: running`);
  }

  private supervisorOf(what: Supervised): Supervisor {
    return new Supervisor(what, this.guard, {
      spawned: (identity) => this.data.rememberProcess(what.name, identity),
      up: (pid) => {
        this.pids.set(what.name, pid);
        this.publish();
      },
      report: this.report,
    });
  }

  private publish(): void {
    if (this.complete && !this.stopped) writeEndpoints(this.data.path, this.endpoints);
  }

  private async stopInOrder(): Promise<void> {
    removeEndpoints(this.data.path);
    await Promise.all(this.processes.map((process) => process.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
    this.data.remember({ processes: {} });
    this.guard.close();
    this.data.close();
    process.off('exit', this.onExit);
  }

  /** This process exits without having stopped the stack, as after an uncaught error. Nothing here may wait. */
  private abandon(): void {
    for (const supervisor of [...this.processes, ...this.servers]) supervisor.abandon();
    removeEndpoints(this.data.path);
    this.data.close();
  }
}

const ownServers: Record<ServerName, (context: ServerContext) => Promise<Server>> = {
  postgres: postgresServer,
  nats: natsServer,
  temporal: temporalServer,
};

interface ExternalServer {
  variable: string;
  assertAnswers(url: string, env: NodeJS.ProcessEnv): Promise<void>;
  endpoints(url: string, env: NodeJS.ProcessEnv): Partial<Endpoints>;
}

const externalServers: Record<ServerName, ExternalServer> = {
  postgres: {
    variable: 'DATABASE_URL',
    assertAnswers: assertPostgresAnswers,
    endpoints: (postgres) => ({ postgres }),
  },
  nats: {
    variable: 'NATS_URL',
    assertAnswers: assertNatsAnswers,
    endpoints: (nats) => ({ nats }),
  },
  temporal: {
    variable: 'TEMPORAL_ADDRESS',
    assertAnswers: assertTemporalAnswers,
    endpoints: (temporal, env) => ({ temporal, temporal_ui: env.TEMPORAL_UI_URL ?? '' }),
  },
};

/** Everything started together has come to an end before a failure is passed on, so that a stop finds it all. */
async function all(starts: Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(starts);
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
  if (failures.length > 1 && failures.every((failure) => failure instanceof StackError)) {
    throw new StackError(failures.map(({ message }) => message).join('\n'));
  }
  if (failures[0]) throw failures[0];
}

function assertRoom(path: string): void {
  const { bavail, bsize } = statfsSync(path);
  const megabytes = Math.floor((bavail * bsize) / 1_048_576);
  if (megabytes < 500) {
    throw StackError.withAdvice(
      `Only ${megabytes} MB are free where ${path} lies; the servers need at least 500 MB.`,
      'Make room, or choose another folder with BILLOW_DATA_DIR.',
    );
  }
}
