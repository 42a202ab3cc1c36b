import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU seconds that each process has used so far, its children included: Postgres works in one process per connection. Linux
 * only; elsewhere the list is empty and nothing is said about CPU.
 */
export function cpuSeconds(pids: Record<string, number>): Record<string, number> {
  const all = readProcesses();
  return Object.fromEntries(
    Object.entries(pids).flatMap(([name, pid]) => {
      const own = all.filter((process) => process.pid === pid || process.parent === pid);
      return own.length === 0 ? [] : [[name, own.reduce((sum, process) => sum + process.seconds, 0)]];
    }),
  );
}

/** "temporal 78 %, postgres 60 %": what was used between two readings, in per cent of one core, the busiest first. */
export function cpuShares(before: Record<string, number>, after: Record<string, number>, elapsedMs: number): string {
  return Object.entries(after)
    .map(([name, seconds]) => [name, Math.round((100_000 * (seconds - (before[name] ?? 0))) / elapsedMs)] as const)
    .filter(([, share]) => share > 0)
    .sort(([, left], [, right]) => right - left)
    .map(([name, share]) => `${name} ${share} %`)
    .join(', ');
}

/** Ticks of /proc are hundredths of a second on every Linux that Node runs on. */
function readProcesses(): { pid: number; parent: number; seconds: number }[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      // The second field is the program's name in parentheses and may hold blanks.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
        .map(Number);
      // Own time, and that of children which ended, as backends do.
      const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!;
      return [{ pid: Number(name), parent: fields[1]!, seconds: ticks / 100 }];
    } catch {
      // It ended between the listing and the reading.
      return [];
    }
  });
}
