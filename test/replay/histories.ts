import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findUpwards } from '../../src/platform/stack/programs.js';

/** What the recorded lives are kept in; one file a run, as Temporal's own tools write and read it. */
const folder = () => findUpwards('test/replay/histories') as string;

export function recordedHistories(): { name: string; history: History }[] {
  return readdirSync(folder())
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      name: file.replace(/\.json$/, ''),
      history: JSON.parse(readFileSync(join(folder(), file), 'utf8')) as History,
    }));
}

export function writeHistory(name: string, json: string): void {
  mkdirSync(folder(), { recursive: true });
  writeFileSync(join(folder(), `${name}.json`), `${json.trim()}\n`);
}

export interface History {
  readonly events: readonly {
    readonly eventType: string;
    readonly workflowExecutionStartedEventAttributes?: { readonly workflowType: { readonly name: string } };
    readonly activityTaskScheduledEventAttributes?: { readonly activityType: { readonly name: string } };
  }[];
}

export function workflowTypeOf(history: History): string {
  return history.events[0]?.workflowExecutionStartedEventAttributes?.workflowType.name ?? '';
}

export function activitiesOf(history: History): string[] {
  return history.events.flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled === undefined ? [] : [scheduled.activityType.name],
  );
}
