import { ensureNamespace } from '../temporal/namespace.js';
import { accepts, anyPort } from './ports.js';
import { isAtLeast, programOnPath, versionOf } from './programs.js';
import { rememberedPort, type Server, type ServerContext, untilAnswered } from './server.js';
import { StackError } from './stack-error.js';
import { cachedTool, type PinnedTool } from './tool-cache.js';

/**
 * Temporal's development server: the real server with its UI on one SQLite file. In WAL mode with synchronous=NORMAL it
 * is nearly three times as fast as by default, and acknowledged work survives a killed process.
 */
export async function temporalServer(context: ServerContext): Promise<Server> {
  const { data } = context;
  const program = await temporalProgram(context);
  const port = await rememberedPort('temporal', 7233, context);
  const uiPort = await rememberedPort('temporal_ui', 8233, context);
  const address = `127.0.0.1:${port}`;
  const namespace = namespaceOf(context.env);
  let metricsPort = 0;
  return {
    name: 'temporal',
    endpoints: { temporal: address, temporal_ui: `http://127.0.0.1:${uiPort}` },
    stopSignals: [['SIGTERM', 5_000]],
    async launch() {
      metricsPort = await anyPort();
      return {
        command: program,
        args: [
          ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
          ...['--metrics-port', String(metricsPort), '--ui-disable-news-fetch', '--log-level', 'error'],
          ...['--db-filename', `${data.folder('temporal')}/temporal.db`, '--namespace', namespace],
          ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
          ...Object.entries(dynamicConfig).flatMap(([key, json]) => ['--dynamic-config-value', `${key}=${json}`]),
        ],
        env: context.env,
        cwd: data.path,
        log: data.file('logs', 'temporal.log'),
        deathSignal: 'SIGKILL',
      };
    },
    async ready(signal) {
      // Its own, random metrics port answers first, so that we do not talk to another server on the usual port.
      await untilAnswered(() => fetch(`http://127.0.0.1:${metricsPort}/metrics`), signal);
      // A gRPC channel that was refused once waits a whole second before it asks again; a bare connection does not.
      await untilAnswered(() => accepts(port), signal);
      await untilAnswered(() => ensureNamespace(address, namespace, retentionDaysOf(context.env)), signal);
    },
  };
}

/** Brings the namespace of a Temporal that is not ours to the same state. */
export async function assertTemporalAnswers(address: string, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await ensureNamespace(address, namespaceOf(env), retentionDaysOf(env));
  } catch (error) {
    throw StackError.withAdvice(
      `Temporal at TEMPORAL_ADDRESS (${address}) cannot be used: ${(error as Error).message}`,
      'Start it, correct TEMPORAL_ADDRESS, or unset it to use the embedded one.',
    );
  }
}

export function namespaceOf(env: NodeJS.ProcessEnv): string {
  return env.TEMPORAL_NAMESPACE || 'billow';
}

const temporalReleases = 'https://github.com/temporalio/cli/releases/download/v1.9.1';

export const temporalTool: PinnedTool = {
  name: 'temporal',
  version: '1.9.1',
  title: 'Temporal server',
  module: {
    folder: 'tools/temporal',
    package: 'github.com/temporalio/cli/cmd/temporal',
    takes: 'about 3 minutes on 2 cores',
  },
  release: {
    archiveUrl: (os, cpu) => `${temporalReleases}/temporal_cli_1.9.1_${os}_${cpu}.tar.gz`,
    sumsUrl: `${temporalReleases}/checksums.txt`,
    program: () => 'temporal',
  },
  alternative: 'Or put the temporal CLI (server 1.30 or later) on PATH, or give a running server in TEMPORAL_ADDRESS.',
};

/** Values are JSON; a key the server does not know is ignored without a word. */
const dynamicConfig = {
  // By default a run may not continue as new within a second of its start: test clocks would crawl.
  'history.workflowIdReuseMinimalInterval': '"0s"',
  'frontend.WorkflowPauseEnabled': 'true',
  'frontend.WorkflowTimeSkippingEnabled': 'true',
  'matching.enableFairness': 'true',
};

async function temporalProgram(context: ServerContext): Promise<string> {
  const found = programOnPath('temporal', context.env);
  if (found && isAtLeast(versionOf(found, /Server (\d+\.\d+\.\d+)/) ?? [], [1, 30])) return found;
  return cachedTool(temporalTool, context);
}

function retentionDaysOf(env: NodeJS.ProcessEnv): number {
  return Number(env.TEMPORAL_RETENTION_DAYS || 90);
}
