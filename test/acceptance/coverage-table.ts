/** What was run and how it ended: a scenario with its features, or a vector with its topic. */
export interface Judged {
  readonly id: string;
  readonly features: readonly string[];
  /** Why it failed; absent when it passed. */
  readonly failure?: string | undefined;
}

/**
 * How far each feature goes, the ones that fall short first, then everything that failed with its reason in one line, and
 * the count of all. Something with several features counts in each of them and once in the sum.
 *
 *     feature     passed   of
 *     coupon           1    2
 *     tax              2    2
 *
 *     failing
 *     coupon-two   step 3 GET /invoices/7: total_amount_cents is 900, expected 880
 *
 *     2 passed, 1 failed
 */
export function coverageTable(judged: readonly Judged[]): string {
  const failing = judged.filter(({ failure }) => failure !== undefined);
  const sections = [featureRows(judged), failingRows(failing)].filter((lines) => lines.length > 0);
  const count = `${judged.length - failing.length} passed, ${failing.length} failed`;
  return [...sections.map((lines) => lines.map((line) => `  ${line}`).join('\n')), count].join('\n\n');
}

function featureRows(judged: readonly Judged[]): string[] {
  const features = new Map<string, { passed: number; of: number }>();
  for (const { features: names, failure } of judged) {
    for (const name of new Set(names)) {
      const { passed, of } = features.get(name) ?? { passed: 0, of: 0 };
      features.set(name, { passed: passed + (failure === undefined ? 1 : 0), of: of + 1 });
    }
  }
  if (features.size === 0) return [];
  const inOrder = [...features].sort(
    ([a, left], [b, right]) => left.passed / left.of - right.passed / right.of || a.localeCompare(b),
  );
  const rows = inOrder.map(([name, { passed, of }]) => [name, String(passed), String(of)] as const);
  const width = widest(['feature', ...rows.map(([name]) => name)]);
  return [['feature', 'passed', 'of'] as const, ...rows].map(
    ([name, passed, of]) => `${name.padEnd(width)}  ${passed.padStart(6)}  ${of.padStart(4)}`,
  );
}

function failingRows(failing: readonly Judged[]): string[] {
  if (failing.length === 0) return [];
  const width = widest(failing.map(({ id }) => id));
  return ['failing', ...failing.map(({ id, failure }) => `${id.padEnd(width)}  ${shortReason(failure ?? '')}`)];
}

const widest = (texts: readonly string[]) => Math.max(...texts.map((text) => text.length));

const REASON_CHARACTERS = 160;

/**
 * A failure in one line: of an answer that refuses, which fields and codes; without the instant and the API's prefix.
 *
 * Example: `step 1 POST /api/v1/plans at 2024-01-01T00:00:00Z: status 422, expected 200: {…"error_details":{"code":["x"]}}`
 * -> `step 1 POST /plans: status 422, expected 200: code x`.
 */
export function shortReason(failure: string): string {
  const [line = ''] = failure.split('\n');
  const withoutInstant = line.replace(/^(step \d+ \S+ \S*) at \S+:/, '$1:').replace(' /api/v1/', ' /');
  const short = withoutInstant.replace(/\{"status":\d+,.*$/, (body) => refusal(body));
  return short.length > REASON_CHARACTERS ? `${short.slice(0, REASON_CHARACTERS - 1)}…` : short;
}

function refusal(body: string): string {
  try {
    const { error_details: details, code, error } = JSON.parse(body) as Record<string, unknown>;
    if (typeof details !== 'object' || details === null) return String(code ?? error);
    return Object.entries(details)
      .map(([field, codes]) => `${field} ${Array.isArray(codes) ? codes.join(', ') : JSON.stringify(codes)}`)
      .join('; ');
  } catch {
    // Cut off in the middle: as it is.
    return body;
  }
}
