import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { billowProcesses } from '../src/billow.processes.js';
import { startStack } from '../src/platform/stack/stack.js';
import type { BenchContext, Benchmark, Figure } from './bench.js';
import { benchCloses } from './closes.bench.js';
import { benchIngestion } from './ingestion.bench.js';
import { benchUsage } from './usage.bench.js';
import { benchYear } from './year.bench.js';

/**
 * `npm run bench -- year closes` runs some of them. The herd of closes comes last: the workflows it leaves behind would slow
 * down whatever is measured after it.
 */
const benchmarks: Record<string, Benchmark> = {
  ingestion: benchIngestion,
  usage: benchUsage,
  year: benchYear,
  closes: benchCloses,
};

/** All figures from one run on one stack of its own, which starts empty and is thrown away. */
async function main(names: string[]): Promise<boolean> {
  const unknown = names.filter((name) => !(name in benchmarks));
  if (unknown.length > 0)
    throw new Error(`No benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'billow-bench-'));
  chmodSync(folder, 0o755);
  const adminToken = 'admin-of-a-benchmark';
  const report = (line: string) => console.error(`  ${line}`);
  const stack = await startStack({
    dataDir: join(folder, 'data'),
    report,
    processes: billowProcesses({ env: { LOG_LEVEL: 'warn', BILLOW_ADMIN_TOKEN: adminToken } }),
  });
  try {
    const { api, postgres, nats, temporal } = stack.endpoints;
    const context: BenchContext = {
      url: api!,
      adminToken,
      databaseUrl: postgres,
      natsUrl: nats,
      temporalAddress: temporal,
      pids: () => Object.fromEntries(stack.endpoints.processes.map(({ name, pid }) => [name, pid])),
      report,
    };
    const figures: Figure[] = [];
    for (const [name, benchmark] of Object.entries(benchmarks)) {
      if (names.length === 0 || names.includes(name)) figures.push(...(await benchmark(context)));
    }
    print(figures);
    return figures.every(({ met }) => met !== false);
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(figures: readonly Figure[]): void {
  const table = new Table({
    head: ['Figure', 'Measured', 'Goal', ''],
    style: { head: [], border: [] },
    colWidths: [42, 52, 34, 8],
    wordWrap: true,
  });
  for (const { what, value, goal, met } of figures) {
    table.push([what, value, goal, met === undefined ? '' : met ? 'met' : 'MISSED']);
  }
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  console.log(
    `\n${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gigabytes} GB, Node ${process.version}`,
  );
  console.log(table.toString());
}

main(process.argv.slice(2)).then(
  (allMet) => process.exit(allMet ? 0 : 1),
  (error: unknown) => {
    console.error(error);
    process.exit(2);
  },
);
