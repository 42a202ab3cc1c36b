#!/usr/bin/env node
import { Command } from 'commander';
import { loadConfig } from './platform/config.js';

// Each command loads only what it runs: a consumer starts without Nest, an api without Temporal's native worker.
const program = new Command('billow').description('Usage billing that cannot lose an event, a period or a cent.');

program
  .command('api')
  .description('serve the REST API')
  .action(async () => {
    const { startApi } = await import('./api.main.js');
    untilSignal(await startApi(loadConfig(process.env)));
  });

program
  .command('consumer')
  .description('write usage from JetStream to Postgres')
  .action(async () => {
    const { startConsumer } = await import('./consumer.main.js');
    const { createUsageNotifier } = await import('./orchestration/usage-notifier.js');
    const config = loadConfig(process.env);
    const notifier = await createUsageNotifier(config);
    const consumer = startConsumer(config, notifier);
    untilSignal({
      async stop() {
        await consumer.stop();
        await notifier.close();
      },
    });
  });

program
  .command('worker')
  .description('run the Temporal workflows and activities')
  .action(async () => {
    const { startWorker } = await import('./worker.main.js');
    untilSignal(await startWorker(loadConfig(process.env)));
  });

program
  .command('migrate')
  .description('bring the database schema and the Temporal namespace up to date')
  .action(async () => {
    const { migrate } = await import('./migrate.main.js');
    await migrate(loadConfig(process.env));
  });

program
  .command('dev')
  .description('run everything on an embedded stack: Postgres, NATS, Temporal, api, consumer, worker')
  .option('--fresh', 'empty the data folder first')
  .action(async (options: { fresh?: boolean }) => {
    const { runDev } = await import('./dev.main.js');
    await runDev({ fresh: options.fresh ?? false });
  });

program
  .command('demo')
  .description('live a year of usage billing on the embedded stack')
  .option('--exit', 'end the stack when the year is over')
  .action(async (options: { exit?: boolean }) => {
    const { runDemo } = await import('./demo/demo.js');
    await runDemo({ exit: options.exit ?? false });
  });

const verify = program.command('verify').description('check the record against itself');
verify
  .command('usage')
  .description('rebuild the aggregates from the stored events and report any difference')
  .option('--organization <lago_id>', 'only this organization')
  .option('--repair', 'replace what differs by what the events say')
  .action(async (options: { organization?: string; repair?: boolean }) => {
    const { verifyUsageCommand } = await import('./verify.main.js');
    process.exitCode = await verifyUsageCommand(loadConfig(process.env), options);
  });

const rebuild = program.command('rebuild').description('make again what can be derived from the record');
rebuild
  .command('workflows')
  .description('start the workflow of every due moment in the record, after Temporal has lost its own')
  .action(async () => {
    const { rebuildWorkflows } = await import('./rebuild.main.js');
    await rebuildWorkflows(loadConfig(process.env));
  });

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

/** Runs until asked to end, then ends in order. A second signal ends at once. */
function untilSignal(running: { stop(): Promise<void> }): void {
  const end = () => {
    process.once('SIGINT', () => process.exit(130));
    process.once('SIGTERM', () => process.exit(143));
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}
