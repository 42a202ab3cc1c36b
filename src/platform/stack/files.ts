import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** A reader sees the old content or the new one, never half of either. */
export function writeAtomically(path: string, content: string, mode = 0o600): void {
  const part = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(part, content, { mode });
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/** The parsed content; nothing if the file is missing or was damaged. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
