import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What finding and obtaining a program needs to know. */
export interface ToolContext {
  env: NodeJS.ProcessEnv;
  report: (line: string) => void;
}

/** The first program of that name on PATH that can be executed. */
export function programOnPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // look further
    }
  }
  return undefined;
}

/** The numbers in a program's answer to `--version`, by the expression's first group: '2.15.2' → [2, 15, 2]. */
export function versionOf(program: string, expression: RegExp): number[] | undefined {
  try {
    const answer = execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return expression.exec(answer)?.[1]?.split('.').map(Number);
  } catch {
    return undefined;
  }
}

export function isAtLeast(version: number[], wanted: number[]): boolean {
  for (const [index, part] of wanted.entries()) {
    const have = version[index] ?? 0;
    if (have !== part) return have > part;
  }
  return true;
}

/** The package's folder that holds `path`, looked for upwards: this file runs from `src` as well as from `dist`. */
export function findUpwards(path: string): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, path);
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
