import { Context } from '@temporalio/activity';

/** Tells the server every few seconds that the work goes on, so that a dead worker is noticed long before the timeout. */
export async function heartbeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 5_000);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}
