import { DemoClient } from '../src/demo/demo-client.js';

/** What every benchmark gets: one stack of its own, empty at the start, shared by all of a run. */
export interface BenchContext {
  /** The api. */
  readonly url: string;
  readonly adminToken: string;
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly temporalAddress: string;
  /** The process ids of servers and processes, as of now. */
  pids(): Record<string, number>;
  /** One line for the person who waits. */
  report(line: string): void;
}

/** One line of the result. */
export interface Figure {
  readonly what: string;
  readonly value: string;
  readonly goal: string;
  /** Undefined where the goal is to say something and not to reach a number. */
  readonly met?: boolean;
}

export type Benchmark = (context: BenchContext) => Promise<Figure[]>;

export function newOrganization({ url, adminToken }: BenchContext, name: string): Promise<DemoClient> {
  return DemoClient.ofNewOrganization(url, adminToken, name);
}
