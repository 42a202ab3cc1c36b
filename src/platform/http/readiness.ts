/** One thing the process cannot work without. */
export interface ReadinessProbe {
  readonly name: string;
  /** Rejects when it does not answer. */
  check(signal: AbortSignal): Promise<void>;
}

export interface ProbeResult {
  readonly status: 'up' | 'down';
  readonly latency_ms: number;
  readonly error?: string;
}

const PATIENCE_MS = 1000;

/** Asks all at once; one that has not answered within a second is down. */
export async function probeAll(
  probes: readonly ReadinessProbe[],
  patienceMs: number = PATIENCE_MS,
): Promise<Record<string, ProbeResult>> {
  const results = await Promise.all(probes.map(async (probe) => [probe.name, await ask(probe, patienceMs)] as const));
  return Object.fromEntries(results);
}

async function ask(probe: ReadinessProbe, patienceMs: number): Promise<ProbeResult> {
  const started = performance.now();
  const elapsed = () => Math.round((performance.now() - started) * 10) / 10;
  const signal = AbortSignal.timeout(patienceMs);
  const expired = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`no answer within ${patienceMs} ms`)), { once: true });
  });
  try {
    await Promise.race([probe.check(signal), expired]);
    return { status: 'up', latency_ms: elapsed() };
  } catch (error) {
    return { status: 'down', latency_ms: elapsed(), error: reasonOf(error) };
  }
}

/** What an operator needs to see; never a connection string. */
function reasonOf(error: unknown): string {
  const { code, message, errors } = error as { code?: unknown; message?: unknown; errors?: unknown[] };
  const text =
    typeof message === 'string' && message !== ''
      ? message
      : String((errors?.[0] as Error)?.message ?? code ?? 'failed');
  return text.replace(/\/\/[^@\s/]*@/g, '//').slice(0, 200);
}
