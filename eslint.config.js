import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Hidden clocks and dice. Money and due moments must be functions of their arguments (a replayed workflow or a second
 * rating of the same period has to give the same answer), so time and randomness come in from outside.
 */
const ambientTimeAndChance = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Take the instant as an argument: what is computed here must not depend on when it runs.',
  },
  {
    selector: "CallExpression[callee.name='Date']",
    message: 'Take the instant as an argument: what is computed here must not depend on when it runs.',
  },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Take the random value as an argument: what is computed here must be repeatable.',
  },
];
const ambientNow = {
  selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
  message: 'Take the instant as an argument: what is computed here must not depend on when it runs.',
};

export default defineConfig(
  { ignores: ['dist/', '.billow/', 'node_modules/', 'coverage/', 'test/architecture/fixtures/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A promise nobody waits for is an error nobody sees. `void promise` says that it is meant.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.name='parseFloat']",
          message: 'Quantities and money are Decimal; a float loses digits.',
        },
      ],
    },
  },
  {
    // Nest's injection reads the classes of constructor parameters at run time, so these imports are not types only.
    files: [
      'src/**/*.controller.ts',
      'src/**/*.service.ts',
      'src/**/*.module.ts',
      'src/**/*.guard.ts',
      'src/**/*.filter.ts',
      'src/**/*.repository.ts',
    ],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    files: ['src/domain/**/*.ts', 'workflows/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...ambientTimeAndChance, ambientNow] },
  },
  {
    // Inside the workflow sandbox Date.now() is the recorded time of the history; one file reads it for all others.
    files: ['workflows/**/clock.ts', 'workflows/**/*-clock.ts', 'workflows/**/*.spec.ts'],
    rules: { 'no-restricted-syntax': ['error', ...ambientTimeAndChance] },
  },
  {
    // Programs whose output is for a person at a terminal.
    files: [
      'src/billow.main.ts',
      'src/demo/**/*.ts',
      'src/platform/stack/**/*.ts',
      'bench/**/*.ts',
      'test/**/*.main.ts',
      'tools/**/*.js',
    ],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        globalThis: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
      },
    },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
);
