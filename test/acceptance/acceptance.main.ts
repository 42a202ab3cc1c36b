import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runningOrOwnStack } from '../../src/billow.processes.js';
import { StackError } from '../../src/platform/stack/stack.js';
import { coverageTable } from './coverage-table.js';
import { readScenarios, runScenarios, ServerUnreachable } from './runner.js';

/**
 *     npm run acceptance -- [FOLDER|FILE …] [--only TEXT] [--tag TAG] [--jobs N] [--settle SECONDS] [--verbose] [--report FILE]
 *
 * Runs scenarios on the server at BILLOW_URL, else on the stack that runs on the data folder, else on one of its own, and
 * prints how far each feature goes, with what failed and why; `--verbose` adds whole answers. Exit status 0 when every scenario
 * passes, 1 when one fails, 2 when nothing can be run.
 */
async function main(): Promise<number> {
  const { values: options, positionals: paths } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      tag: { type: 'string' },
      jobs: { type: 'string', default: '4' },
      settle: { type: 'string', default: '2' },
      verbose: { type: 'boolean', default: false },
      report: { type: 'string' },
    },
  });
  const scenarios = readScenarios(
    paths.length > 0 ? paths : ['test/acceptance/scenarios', 'test/acceptance/own'],
    options,
  );
  if (scenarios.length === 0) throw new Error('No scenario found.');

  const server = await findServer();
  try {
    const results = await runScenarios(scenarios, {
      url: server.url,
      adminToken: process.env.BILLOW_ADMIN_TOKEN || 'billow-dev-admin',
      jobs: Number(options.jobs),
      settleSeconds: Number(options.settle),
      verbose: options.verbose,
      onResult: ({ id, ok, ms, failure }) => {
        console.log(`${ok ? 'ok  ' : 'FAIL'} ${id} (${ms} ms)`);
        if (options.verbose && failure !== undefined) console.log(`     ${failure}`);
      },
    });
    if (options.report) writeFileSync(options.report, JSON.stringify(results, null, 1));
    console.log(`\n${coverageTable(results)}`);
    return results.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    await server.stop();
  }
}

async function findServer(): Promise<{ url: string; stop(): Promise<void> }> {
  if (process.env.BILLOW_URL) return { url: process.env.BILLOW_URL, stop: async () => {} };
  const stack = await runningOrOwnStack({
    dataDir: process.env.BILLOW_DATA_DIR || '.billow',
    env: { LOG_LEVEL: 'warn' },
    report: (line) => console.error(line),
  });
  return { url: stack.endpoints.api, stop: () => stack.stop() };
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    const expected = error instanceof StackError || error instanceof ServerUnreachable;
    console.error(error instanceof Error && expected ? error.message : error);
    process.exit(2);
  },
);
