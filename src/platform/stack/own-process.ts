import type { DataDir } from './data-dir.js';
import type { Endpoints } from './endpoints.js';
import { freePort } from './ports.js';
import { runToEnd } from './run-to-end.js';
import { untilAnswered } from './server.js';
import type { Supervised } from './supervisor.js';

/** A process of this project that runs on the servers. */
export interface ProcessSpec {
  /** As in endpoints.json; unique within the stack. The process named `api` gives the endpoint `api` its address. */
  name: string;
  command: string;
  args: string[];
  /** Added to the stack's environment and the addresses of the servers. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The port it would like on loopback: it gets this one or the next free as PORT, any for 0; the same after a restart. */
  port?: number;
  /**
   * When it answers: a URL that gives 2xx, or a path on its own port, or a question of the caller's own. Without it a
   * process counts as ready when it has been up for a moment.
   */
  ready?: string | ((signal: AbortSignal) => Promise<void>);
  /** Runs to its end before the ones that follow in the list are started, like a migration; an error ends the start. */
  once?: boolean;
}

export interface OwnProcess extends Supervised {
  readonly url?: string;
}

export async function ownProcess(
  spec: ProcessSpec,
  data: DataDir,
  env: NodeJS.ProcessEnv,
  taken: Set<number>,
): Promise<OwnProcess> {
  const port = spec.port === undefined ? undefined : await freePort(spec.port, taken);
  const url = port === undefined ? undefined : `http://127.0.0.1:${port}`;
  return {
    name: spec.name,
    ...(url ? { url } : {}),
    stopSignals: [['SIGTERM', 15_000]],
    async launch() {
      return {
        command: spec.command,
        args: spec.args,
        env: { ...env, ...(port === undefined ? {} : { HOST: '127.0.0.1', PORT: String(port) }), ...spec.env },
        cwd: spec.cwd ?? process.cwd(),
        log: data.file('logs', `${spec.name}.log`),
        deathSignal: 'SIGKILL',
      };
    },
    ready: (signal) => answers(spec, url, signal),
  };
}

export async function runOnce(spec: ProcessSpec, env: NodeJS.ProcessEnv): Promise<void> {
  await runToEnd(spec.command, spec.args, { env: { ...env, ...spec.env }, cwd: spec.cwd ?? process.cwd() });
}

/** What a process of ours needs to know of the servers, under the names production uses. */
export function serverEnvironment(endpoints: Endpoints): NodeJS.ProcessEnv {
  return {
    ...(endpoints.postgres ? { DATABASE_URL: endpoints.postgres } : {}),
    ...(endpoints.nats ? { NATS_URL: endpoints.nats } : {}),
    ...(endpoints.temporal ? { TEMPORAL_ADDRESS: endpoints.temporal } : {}),
    ...(endpoints.temporal_ui ? { TEMPORAL_UI_URL: endpoints.temporal_ui } : {}),
  };
}

async function answers({ ready }: ProcessSpec, url: string | undefined, signal: AbortSignal): Promise<void> {
  if (typeof ready === 'function') return ready(signal);
  if (ready === undefined) return await untilSettled(signal);
  const address = new URL(ready, url).href;
  await untilAnswered(async () => {
    const answer = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  }, signal);
}

function untilSettled(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 300);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
