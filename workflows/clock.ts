import { condition } from '@temporalio/workflow';
import type { ClockState } from './subscription.contract.js';

/**
 * Decides whether a due moment has come, and waits for it. On the wall it is one Temporal timer; on a test clock there is
 * no timer at all: the clock's time arrives by signal, and the workflow sleeps until then.
 */
export class BillingClock {
  constructor(private readonly state: ClockState) {}

  /** ISO time by which work "now" is dated: the test clock's, or the wall's. */
  now(): string {
    return new Date(this.nowMs()).toISOString();
  }

  reached(at: string): boolean {
    return this.nowMs() >= this.actingAt(at);
  }

  advanceTo(iso: string): void {
    if (this.state.kind === 'test') this.state.nowMs = Math.max(this.state.nowMs, Date.parse(iso));
  }

  /**
   * Returns when `at` is reached (null: never) or `woken` holds, whichever comes first; at the latest at the wall's `patience`
   * (epoch milliseconds), where one is given.
   */
  async until(at: string | null, woken: () => boolean, summary: string, patience?: number): Promise<void> {
    const patienceMs = patience === undefined ? Infinity : patience - Date.now();
    if (this.state.kind === 'test') {
      const ready = () => woken() || (at !== null && this.reached(at));
      if (patienceMs === Infinity) await condition(ready);
      else if (patienceMs > 0) await condition(ready, patienceMs, { summary: 'Patience with a sibling subscription' });
      return;
    }
    const wait = Math.min(at === null ? Infinity : this.actingAt(at) - Date.now(), patienceMs);
    if (wait === Infinity) await condition(woken);
    else if (wait > 0) await condition(woken, wait, { summary });
  }

  /** Whether an instant of the wall has passed, for a test clock too: patience with others is not billing time. */
  wallPassed(iso: string): boolean {
    return Date.now() >= Date.parse(iso);
  }

  // Month end is a herd: on the wall each customer acts a little later, by a fixed share of the spread. Amounts do not
  // depend on it (design, invariants 5 and 7).
  private actingAt(at: string): number {
    return Date.parse(at) + (this.state.kind === 'wall' ? this.state.spreadMs : 0);
  }

  private nowMs(): number {
    return this.state.kind === 'test' ? this.state.nowMs : Date.now();
  }
}
