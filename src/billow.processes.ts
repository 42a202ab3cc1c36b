import { findUpwards } from './platform/stack/programs.js';
import { type ProcessSpec, StackError } from './platform/stack/stack.js';

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
