import { spawn } from 'node:child_process';
import { StackError } from './stack-error.js';

/** Runs a program that ends by itself; its output is of interest only if it fails. */
export function runToEnd(
  command: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; cwd: string; uid?: number; gid?: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    const fail = (how: string) => {
      const lines = output.trim().split('\n').slice(-8);
      const full = /no space left on device/i.test(output);
      reject(
        StackError.withAdvice(
          [`${command} failed (${how}).`, ...lines.map((line) => `    ${line}`)].join('\n'),
          full ? 'The disk is full: make room, or choose another BILLOW_DATA_DIR.' : `It was run as: ${args.join(' ')}`,
        ),
      );
    };
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, by) => {
      process.off('exit', end);
      if (code === 0) resolve(output);
      else fail(by ? `signal ${by}` : `exit code ${code}`);
    });
  });
}
