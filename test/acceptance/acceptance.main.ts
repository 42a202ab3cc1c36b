import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runningOrOwnStack } from '../../src/billow.processes.js';
import { StackError } from '../../src/platform/stack/stack.js';
import { readScenarios, runScenarios, type ScenarioResult, ServerUnreachable } from './runner.js';

/**
 *     npm run acceptance -- [FOLDER|FILE …] [--only TEXT] [--tag TAG] [--jobs N] [--settle SECONDS] [--verbose] [--report FILE]
 *
 * Runs scenarios on the server at BILLOW_URL, else on the stack that runs on the data folder, else on one of its own. Exit
 * status 0 when every scenario passes, 1 when one fails, 2 when nothing can be run.
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
  const scenarios = readScenarios(paths.length > 0 ? paths : ['test/acceptance/scenarios'], options);
  if (scenarios.length === 0) throw new Error('No scenario found.');

  const server = await findServer();
  try {
    const results = await runScenarios(scenarios, {
      url: server.url,
      adminToken: process.env.BILLOW_ADMIN_TOKEN || 'billow-dev-admin',
      jobs: Number(options.jobs),
      settleSeconds: Number(options.settle),
      verbose: options.verbose,
      onResult: ({ id, ok, ms, failure }) =>
        console.log(`${ok ? 'ok  ' : 'FAIL'} ${id} (${ms} ms)${failure === undefined ? '' : `\n     ${failure}`}`),
    });
    if (options.report) writeFileSync(options.report, JSON.stringify(results, null, 1));
    printByFeature(results);
    const passed = results.filter(({ ok }) => ok).length;
    console.log(`${passed} passed, ${results.length - passed} failed`);
    return passed === results.length ? 0 : 1;
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

/** How far each feature goes, the ones that fall short first. */
function printByFeature(results: readonly ScenarioResult[]): void {
  const features = new Map<string, { passed: number; of: number }>();
  for (const { features: tags, ok } of results) {
    for (const tag of tags) {
      const count = features.get(tag) ?? { passed: 0, of: 0 };
      features.set(tag, { passed: count.passed + (ok ? 1 : 0), of: count.of + 1 });
    }
  }
  const rows = [...features].sort(
    ([a, left], [b, right]) => left.passed / left.of - right.passed / right.of || a.localeCompare(b),
  );
  const width = Math.max(...rows.map(([tag]) => tag.length));
  console.log();
  for (const [tag, { passed, of }] of rows) {
    console.log(`  ${tag.padEnd(width)}  ${String(passed).padStart(3)} of ${String(of).padStart(3)}`);
  }
  console.log();
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    const expected = error instanceof StackError || error instanceof ServerUnreachable;
    console.error(error instanceof Error && expected ? error.message : error);
    process.exit(2);
  },
);
