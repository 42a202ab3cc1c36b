import { randomBytes } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { writeAtomically } from './files.js';
import { isAtLeast, programOnPath, versionOf } from './programs.js';
import { rememberedPort, type Server, type ServerContext, untilAnswered } from './server.js';
import { StackError } from './stack-error.js';
import { cachedTool, type PinnedTool } from './tool-cache.js';

/** NATS with JetStream, which acknowledges a message only when it is synced to disk. */
export async function natsServer(context: ServerContext): Promise<Server> {
  const { data } = context;
  const program = await natsProgram(context);
  const port = await rememberedPort('nats', 4222, context);
  const url = `nats://127.0.0.1:${port}`;
  // So that an answer is known to come from this server, and not from another that took the port in the same moment.
  const serverName = `billow-${randomBytes(6).toString('hex')}`;
  const config = data.file('nats.conf');
  return {
    name: 'nats',
    endpoints: { nats: url },
    stopSignals: [['SIGTERM', 10_000]],
    async launch() {
      writeAtomically(config, natsConfig(serverName, port, data.folder('nats')));
      return {
        command: program,
        args: ['--config', config],
        env: context.env,
        cwd: data.path,
        log: data.file('logs', 'nats.log'),
        deathSignal: 'SIGKILL',
      };
    },
    ready: (signal) => untilAnswered(() => askJetStream(url, serverName), signal),
  };
}

/** Is an answer to be had at this address? For a NATS that is not ours. */
export async function assertNatsAnswers(url: string): Promise<void> {
  try {
    await askJetStream(url);
  } catch (error) {
    throw StackError.withAdvice(
      `NATS with JetStream at NATS_URL does not answer: ${(error as Error).message}`,
      'Start it (nats-server -js), correct NATS_URL, or unset it to use the embedded one.',
    );
  }
}

const natsReleases = 'https://github.com/nats-io/nats-server/releases/download/v2.15.2';

export const natsTool: PinnedTool = {
  name: 'nats-server',
  version: '2.15.2',
  title: 'NATS server',
  module: { folder: 'tools/nats', package: 'github.com/nats-io/nats-server/v2', takes: 'about half a minute' },
  release: {
    archiveUrl: (os, cpu) => `${natsReleases}/nats-server-v2.15.2-${os}-${cpu}.tar.gz`,
    sumsUrl: `${natsReleases}/SHA256SUMS`,
    program: (os, cpu) => `nats-server-v2.15.2-${os}-${cpu}/nats-server`,
  },
  alternative: 'Or put nats-server 2.12 or later on PATH, or give the address of a running one in NATS_URL.',
};

async function natsProgram(context: ServerContext): Promise<string> {
  const found = programOnPath('nats-server', context.env);
  // 2.12 is the first with atomic batches; Debian's 2.9 does not even know sync_interval.
  if (found && isAtLeast(versionOf(found, /v(\d+\.\d+\.\d+)/) ?? [], [2, 12])) return found;
  return cachedTool(natsTool, context);
}

function natsConfig(serverName: string, port: number, store: string): string {
  return [
    `server_name: ${serverName}`,
    `listen: "127.0.0.1:${port}"`,
    'max_payload: 8MB',
    // "Acknowledged" must mean "on disk", not "on disk within two minutes".
    `jetstream { store_dir: ${JSON.stringify(store)}, sync_interval: always }`,
    '',
  ].join('\n');
}

async function askJetStream(url: string, serverName?: string): Promise<void> {
  const connection = await connect({ servers: url, reconnect: false, timeout: 5_000 });
  try {
    if (serverName && connection.info?.server_name !== serverName) throw new Error(`another server answers at ${url}`);
    const manager = await jetstreamManager(connection);
    await manager.getAccountInfo();
  } finally {
    await connection.close();
  }
}
