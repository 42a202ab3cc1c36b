import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { ToolContext } from './programs.js';

/** A publisher's release: an archive per platform and a list of SHA-256 sums, in the names the publisher uses. */
export interface Release {
  archiveUrl: (os: string, cpu: string) => string;
  sumsUrl: string;
  /** Path of the program inside the archive. */
  program: (os: string, cpu: string) => string;
}

/** The road for machines without Go. The archive is used only if the publisher's list of sums vouches for it. */
export async function downloadRelease(
  release: Release,
  target: string,
  title: string,
  context: ToolContext,
): Promise<void> {
  const os = platform();
  const cpu = arch() === 'x64' ? 'amd64' : arch();
  const url = release.archiveUrl(os, cpu);
  context.report(`${title}: downloading ${url}`);
  const [sums, archive] = await Promise.all([fetched(release.sumsUrl), fetched(url)]);
  const sum = createHash('sha256').update(archive).digest('hex');
  const vouched = sums
    .toString('utf8')
    .split('\n')
    .some(
      (line) =>
        line
          .trim()
          .split(/\s+\*?/)
          .join(' ') === `${sum} ${basename(url)}`,
    );
  if (!vouched) throw new Error(`${url} does not have the checksum that ${release.sumsUrl} gives for it.`);

  const folder = mkdtempSync(join(dirname(target), 'download-'));
  try {
    const file = join(folder, basename(url));
    writeFileSync(file, archive);
    execFileSync('tar', ['-xzf', file, '-C', folder], { stdio: 'pipe' });
    renameSync(join(folder, release.program(os, cpu)), target);
    chmodSync(target, 0o755);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  context.report(`${title}: downloaded, checksum right`);
}

async function fetched(url: string): Promise<Buffer> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(300_000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    const cause = (error as { cause?: Error }).cause;
    throw new Error(`${url} could not be downloaded: ${cause?.message ?? (error as Error).message}`, { cause: error });
  }
}
