import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAtLeast, programOnPath, type ToolContext } from './programs.js';

export interface GoModule {
  /** Folder with go.mod and go.sum, relative to the package's root. */
  folder: string;
  /** The main package to build. */
  package: string;
  /** What to tell the person who waits. */
  takes: string;
}

export interface Go {
  program: string;
  version: number[];
}

/** The machine's Go, if it is new enough to fetch the toolchain a module asks for. */
export function usableGo(env: NodeJS.ProcessEnv): Go | undefined {
  const program = programOnPath('go', { PATH: `${env.PATH ?? ''}:/usr/local/go/bin` });
  if (!program) return undefined;
  try {
    const answer = execFileSync(program, ['env', 'GOVERSION'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...env, GOTOOLCHAIN: 'local' },
    });
    const version = /go(\d+(?:\.\d+)*)/.exec(answer)?.[1]?.split('.').map(Number);
    return version && isAtLeast(version, [1, 21]) ? { program, version } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Builds a static binary from a pinned module. The module's own go.mod and go.sum alone decide what is built: flags, vendor
 * folders and workspaces of the machine are switched off.
 */
export async function buildFromModule(
  go: Go,
  module: GoModule,
  target: string,
  title: string,
  context: ToolContext,
): Promise<void> {
  const since = Date.now();
  const seconds = () => Math.round((Date.now() - since) / 1000);
  context.report(`${title}: building it from source, once (${module.takes})`);
  const build = spawn(
    go.program,
    ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', target, module.package],
    {
      cwd: module.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...context.env,
        CGO_ENABLED: '0',
        GOFLAGS: '',
        GOWORK: 'off',
        GOTOOLCHAIN: isAtLeast(go.version, asked(module.folder)) ? 'local' : 'auto',
      },
    },
  );
  let packages = 0;
  let downloads = 0;
  let tail: string[] = [];
  const read = (chunk: Buffer) => {
    const lines = chunk.toString().split('\n').filter(Boolean);
    downloads += lines.filter((line) => line.startsWith('go: downloading')).length;
    packages += lines.filter((line) => /^[\w.~-]+(\/[\w.~-]+)*$/.test(line)).length;
    tail = [...tail, ...lines].slice(-12);
  };
  build.stdout.on('data', read);
  build.stderr.on('data', read);
  const ticker = setInterval(() => {
    const what =
      packages > 0 ? `${packages} packages compiled` : downloads > 0 ? `${downloads} modules downloaded` : 'building';
    context.report(`${title}: ${what} … ${seconds()} s`);
  }, 5_000);
  // A build whose starter is gone would hold the machine for minutes for nobody.
  const end = () => build.kill('SIGTERM');
  process.once('exit', end);
  try {
    const code = await new Promise<number | string>((resolve) => {
      build.once('error', (error) => resolve(error.message));
      build.once('close', (exitCode, by) => resolve(exitCode ?? by ?? 'unknown'));
    });
    if (code !== 0) throw new Error(explain(title, code, tail));
    context.report(`${title}: built in ${seconds()} s`);
  } finally {
    clearInterval(ticker);
    process.off('exit', end);
  }
}

function explain(title: string, code: number | string, tail: string[]): string {
  const output = tail.join('\n');
  const cause = /no space left on device/.test(output)
    ? ' The disk is full; the build needs about 4 GB in the Go caches.'
    : /dial tcp|no such host|i\/o timeout|connection refused|proxyconnect/.test(output)
      ? ' The Go module proxy could not be reached; GOPROXY names another one.'
      : '';
  return `Building ${title} failed (${code}).${cause}\n${tail.map((line) => `    ${line}`).join('\n')}`;
}

/** The version in go.mod's `go` line. */
function asked(folder: string): number[] {
  const line = /^go (\d+(?:\.\d+)*)/m.exec(readFileSync(join(folder, 'go.mod'), 'utf8'))?.[1] ?? '1.26';
  return line.split('.').map(Number);
}
