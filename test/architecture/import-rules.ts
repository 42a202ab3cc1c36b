import { cruise, type ICruiseResult, type IRegularForbiddenRuleType } from 'dependency-cruiser';

/**
 * Who may import whom. Arrows point down the road of the money; when two folders need each other, a third word is missing.
 * Each rule is checked on the project, and on a small wrong tree on which it has to fail.
 */
export const importRules = {
  'domain is pure': {
    from: { path: '^src/domain/', pathNot: '\\.spec\\.ts$' },
    to: { pathNot: ['^src/domain/', 'node_modules/decimal\\.js/'] },
  },
  'money and calendar stand at the bottom of the domain': {
    from: { path: '^src/domain/(money|calendar)/', pathNot: '\\.spec\\.ts$' },
    // What lies directly in src/domain (the invariant) is below all.
    to: { path: '^src/domain/[^/]+/', pathNot: '^src/domain/(money|calendar)/' },
  },
  'workflows import only what the sandbox can replay': {
    from: { path: '^workflows/', pathNot: '\\.spec\\.ts$' },
    to: {
      pathNot: [
        '^workflows/',
        '^activities/',
        '^src/domain/',
        '^src/platform/temporal/search-attributes\\.ts$',
        'node_modules/@temporalio/(workflow|common)/',
      ],
    },
  },
  'workflows know activities by their types only': {
    from: { path: '^workflows/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
  },
  'activities know workflows by their contracts only': {
    from: { path: '^activities/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^workflows/', pathNot: '\\.contract\\.ts$' },
  },
  'services know workflows by their contracts only, and no activity': {
    // The main files are the wiring, where everything meets. A workflow is started with the search attributes that it
    // later keeps up itself, so these are part of the contract.
    from: { path: '^src/', pathNot: '\\.(main|spec)\\.ts$' },
    to: { path: '^(workflows|activities)/', pathNot: '(\\.contract|attributes)\\.ts$' },
  },
  'platform has no business words': {
    from: { path: '^src/platform/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^(src|workflows|activities)/', pathNot: '^src/(platform/|domain/(money|calendar)/)' },
  },
  'how a module does its work is its own affair': {
    // Rows, mappings and plain functions are shared: one transaction often writes rows of two capabilities. What holds a
    // capability together is reached by its index.ts.
    from: { path: '^src/([^/]+)/', pathNot: '\\.spec\\.ts$' },
    to: {
      path: '^src/[^/]+/.*\\.(controller|repository|routes|sql)\\.ts$',
      pathNot: ['^src/$1/', '^src/platform/'],
    },
  },
  'nothing the product runs is only there for development': {
    from: { path: '^(src|workflows|activities)/', pathNot: '\\.spec\\.ts$' },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
  },
  'nothing the product runs imports tests or benchmarks': {
    from: { path: '^(src|workflows|activities)/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^(test|bench)/' },
  },
  'every import leads to a file': { from: {}, to: { couldNotResolve: true } },
  // A builder and the story it belongs to may know each other's types.
  'no import knots': { from: { pathNot: '^test/' }, to: { circular: true } },
} satisfies Record<string, Pick<IRegularForbiddenRuleType, 'from' | 'to'>>;

export type ImportRule = keyof typeof importRules;

export interface Violation {
  readonly rule: ImportRule;
  readonly from: string;
  readonly to: string;
}

/**
 * Reads the sources below `root` and lists every import that breaks a rule, as paths relative to `root`. Type-only imports
 * count as imports.
 */
export async function importViolations(root: string, folders: readonly string[]): Promise<Violation[]> {
  const { output } = await cruise(
    [...folders],
    {
      baseDir: root,
      validate: true,
      ruleSet: {
        forbidden: Object.entries(importRules).map(([name, rule]) => ({ name, severity: 'error', ...rule })),
      },
      tsPreCompilationDeps: true,
      combinedDependencies: true,
      doNotFollow: { path: 'node_modules' },
      moduleSystems: ['es6', 'cjs', 'tsd'],
    },
    // The sources import `./x.js`, which lies there as `./x.ts`.
    {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  );
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => ({
    rule: rule.name as ImportRule,
    from,
    to,
  }));
}
