import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeAtomically } from './files.js';
import { isAlive, type ProcessIdentity } from './process-identity.js';

/** Where everything answers. In `endpoints.json` while the stack runs, for scripts, fault tests and a second terminal. */
export interface Endpoints {
  api?: string;
  /** host:port */
  temporal: string;
  /** http://… ; empty when the Temporal server is not ours and TEMPORAL_UI_URL does not say */
  temporal_ui: string;
  /** nats://… */
  nats: string;
  /** postgresql://… */
  postgres: string;
  /** What this stack started itself. The pid is that of the server or process, not of a wrapper around it. */
  processes: { name: string; pid: number }[];
}

export function writeEndpoints(dataDir: string, endpoints: Endpoints): void {
  writeAtomically(join(dataDir, fileName), `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** The running stack's endpoints; nothing if none runs on this folder, whatever a killed one has left there. */
export function readEndpoints(dataDir: string): Endpoints | undefined {
  const owner = readJson<ProcessIdentity>(join(dataDir, 'lock'));
  if (!owner || !isAlive(owner)) return undefined;
  return readJson<Endpoints>(join(dataDir, fileName));
}

export function removeEndpoints(dataDir: string): void {
  rmSync(join(dataDir, fileName), { force: true });
}

const fileName = 'endpoints.json';
