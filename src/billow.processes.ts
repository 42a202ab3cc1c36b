import { findUpwards } from './platform/stack/programs.js';
import { type Endpoints, type ProcessSpec, readEndpoints, StackError, startStack } from './platform/stack/stack.js';

/**
 * The product as an embedded stack runs it: the migration first, then api, consumer and worker as the same processes that
 * production starts.
 */
export function billowProcesses(options: { port?: number; env?: NodeJS.ProcessEnv } = {}): ProcessSpec[] {
  const program = findUpwards('dist/src/billow.main.js');
  if (program === undefined) {
    throw StackError.withAdvice(
      'The program is not compiled: dist/src/billow.main.js is missing.',
      'Run: npm run build',
    );
  }
  const run = (name: string) => ({
    name,
    command: process.execPath,
    args: ['--enable-source-maps', program, name],
    ...(options.env ? { env: options.env } : {}),
  });
  return [
    { ...run('migrate'), once: true },
    { ...run('api'), port: options.port ?? 3000, ready: '/health/ready' },
    run('consumer'),
    run('worker'),
  ];
}

export interface FoundStack {
  readonly endpoints: Endpoints & { api: string };
  /** Whether it was started here, and ends with `stop`. One that ran already is left alone. */
  readonly own: boolean;
  stop(): Promise<void>;
}

/** The stack that runs on the folder, as from `billow dev` in another terminal; else one of our own. */
export async function runningOrOwnStack(options: {
  dataDir: string;
  env?: NodeJS.ProcessEnv;
  report: (line: string) => void;
}): Promise<FoundStack> {
  const running = readEndpoints(options.dataDir);
  if (running?.api !== undefined && (await answers(running.api))) {
    options.report(`using the stack that runs at ${running.api}`);
    return { endpoints: { ...running, api: running.api }, own: false, stop: async () => {} };
  }
  const stack = await startStack({
    dataDir: options.dataDir,
    report: options.report,
    processes: billowProcesses(options.env ? { env: options.env } : {}),
  });
  const { api } = stack.endpoints;
  if (api === undefined) throw new Error('The api has been started and has no address');
  return { endpoints: { ...stack.endpoints, api }, own: true, stop: () => stack.stop() };
}

/** The file of a stack that was killed may still lie there. */
function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  );
}
