import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ImportRule, importRules, importViolations } from './import-rules.js';

const folders = ['src', 'workflows', 'activities', 'test', 'bench'];

test('the project keeps every import rule', async () => {
  const present = folders.filter((folder) => existsSync(folder));
  const broken = await importViolations(process.cwd(), present);
  expect(broken.map(({ rule, from, to }) => `${rule}: ${from} -> ${to}`)).toEqual([]);
}, 60_000);

/** For each rule small trees that break it, file by file: content. A rule nobody saw failing guards nothing. */
const wrong: Record<ImportRule, Record<string, string>[]> = {
  'domain is pure': [
    { 'src/domain/rating/rate.ts': `import 'node:fs';` },
    { 'src/domain/rating/rate.ts': `import '../../platform/config.js';`, 'src/platform/config.ts': '' },
    { 'src/domain/rating/rate.ts': `import type { Pool } from 'pg';\nexport type P = Pool;` },
  ],
  'money and calendar stand at the bottom of the domain': [
    { 'src/domain/money/money.ts': `import '../catalog/plan.js';`, 'src/domain/catalog/plan.ts': '' },
    { 'src/domain/calendar/period.ts': `import '../catalog/plan.js';`, 'src/domain/catalog/plan.ts': '' },
  ],
  'workflows import only what the sandbox can replay': [
    { 'workflows/a.workflow.ts': `import 'node:crypto';` },
    { 'workflows/a.workflow.ts': `import '@temporalio/client';` },
    {
      'workflows/a.workflow.ts': `import '../src/invoicing/invoice.service.js';`,
      'src/invoicing/invoice.service.ts': '',
    },
  ],
  'workflows know activities by their types only': [
    {
      'workflows/a.workflow.ts': `import { close } from '../activities/a.activities.js';\nclose();`,
      'activities/a.activities.ts': 'export function close() {}',
    },
  ],
  'activities know workflows by their contracts only': [
    { 'activities/a.activities.ts': `import '../workflows/a.workflow.js';`, 'workflows/a.workflow.ts': '' },
  ],
  'services know workflows by their contracts only, and no activity': [
    { 'src/invoicing/invoice.service.ts': `import '../../workflows/a.workflow.js';`, 'workflows/a.workflow.ts': '' },
    {
      'src/invoicing/invoice.service.ts': `import '../../activities/a.activities.js';`,
      'activities/a.activities.ts': '',
    },
  ],
  'platform has no business words': [
    { 'src/platform/nats/nats.ts': `import '../../invoicing/invoice.js';`, 'src/invoicing/invoice.ts': '' },
    { 'src/platform/nats/nats.ts': `import '../../domain/rating/rate.js';`, 'src/domain/rating/rate.ts': '' },
  ],
  'how a module does its work is its own affair': [
    {
      'src/invoicing/invoice.service.ts': `import '../catalog/plan.repository.js';`,
      'src/catalog/plan.repository.ts': '',
    },
  ],
  'nothing the product runs is only there for development': [
    { 'src/invoicing/invoice.service.ts': `import 'fast-check';` },
  ],
  'nothing the product runs imports tests or benchmarks': [
    { 'src/invoicing/invoice.service.ts': `import '../../test/builders/plan.js';`, 'test/builders/plan.ts': '' },
  ],
  'every import leads to a file': [{ 'src/invoicing/invoice.service.ts': `import './nowhere.js';` }],
  'no import knots': [
    {
      'src/invoicing/a.ts': `import './b.js';`,
      'src/invoicing/b.ts': `import type { A } from './a.js';\nexport type B = A;`,
    },
  ],
};

describe.each(Object.keys(importRules) as ImportRule[])('%s', (rule) => {
  test.each(wrong[rule].map((tree) => [tree[Object.keys(tree)[0]!]!, tree] as const))(
    'is broken by %j',
    async (_, tree) => {
      const broken = await inTree(tree, (root, present) => importViolations(root, present));
      expect(broken.map((violation) => violation.rule)).toContain(rule);
    },
  );
});

test('a tree in order breaks nothing', async () => {
  const tree = {
    'src/domain/money/money.ts': `import { Decimal } from 'decimal.js';\nexport const zero = new Decimal(0);`,
    'src/domain/rating/rate.ts': `import { zero } from '../money/money.js';\nexport const due = zero;`,
    'src/catalog/index.ts': `export const plan = 1;`,
    'src/invoicing/invoice.service.ts': `import { plan } from '../catalog/index.js';\nimport '../../workflows/a.contract.js';\nexport const p = plan;`,
    'activities/a.activities.ts': `import '../workflows/a.contract.js';\nexport function close() {}`,
    'workflows/a.contract.ts': `export const id = 'a';`,
    'workflows/a.workflow.ts': `import '@temporalio/workflow';\nimport type * as activities from '../activities/a.activities.js';\nimport './a.contract.js';\nexport type A = typeof activities;`,
  };
  expect(await inTree(tree, (root, present) => importViolations(root, present))).toEqual([]);
});

/** Writes the files below a temporary root that sees the project's packages, and hands over the root and its folders. */
async function inTree<T>(
  files: Record<string, string>,
  work: (root: string, present: string[]) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'billow-architecture-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
    for (const shared of ['node_modules', 'package.json']) symlinkSync(join(process.cwd(), shared), join(root, shared));
    return await work(root, [...new Set(Object.keys(files).map((path) => path.split('/')[0]!))]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
