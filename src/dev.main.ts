import { billowProcesses } from './billow.processes.js';
import { startStack, stopOnSignal } from './platform/stack/stack.js';

/** `billow dev`: the embedded stack with the product on it, until Ctrl-C. */
export async function runDev(options: { fresh: boolean }): Promise<void> {
  const report = (line: string) => process.stdout.write(`${line}\n`);
  const stack = await startStack({
    dataDir: process.env.BILLOW_DATA_DIR ?? '.billow',
    fresh: options.fresh,
    report,
    processes: billowProcesses(process.env.PORT ? { port: Number(process.env.PORT) } : {}),
  });
  const { api, temporal_ui: temporalUi, postgres, nats } = stack.endpoints;
  report('');
  report(`  API           ${api}      (documentation: ${api}/docs)`);
  report(`  Temporal UI   ${temporalUi}`);
  report(`  Postgres      ${postgres}`);
  report(`  NATS          ${nats}`);
  report('');
  report('  Ctrl-C ends it.');
  await stopOnSignal(stack);
}
