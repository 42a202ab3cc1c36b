import { setInterval } from 'node:timers';
import { commandLineOf, identify, isAlive, parentOf, type ProcessIdentity } from './process-identity.js';

/**
 * Waits until somebody wants this process to end: by Ctrl-C, `kill` or the terminal's end, or, under `npm run`, by
 * killing npm. That one gives no signal: a killed npm leaves its shell and us behind, running for nobody.
 * Resolves with the reason. A second signal after that does not wait for an orderly end.
 */
export async function untilAskedToEnd(): Promise<string> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const npm = npmAbove();
  return new Promise((resolve) => {
    const end = (reason: string) => {
      clearInterval(watch);
      for (const name of signals) {
        process.off(name, end);
        process.once(name, () => process.exit(130));
      }
      resolve(reason);
    };
    const watch = setInterval(() => {
      if (npm && !isAlive(npm)) end('npm is gone');
    }, 500);
    if (!npm) clearInterval(watch);
    for (const name of signals) process.once(name, end);
  });
}

/** The npm that runs us, through one shell or a few. */
function npmAbove(): ProcessIdentity | undefined {
  if (process.env.npm_execpath === undefined) return undefined;
  let pid = process.ppid;
  for (let level = 0; level < 4 && pid > 1; level++) {
    if (/^npm( |$)|npm-cli\.js/.test(commandLineOf(pid))) return identify(pid);
    pid = parentOf(pid) ?? 0;
  }
  return undefined;
}
