import { availableParallelism } from 'node:os';

// Two projects: `unit` is pure and quick (part of `npm run check`); `system` runs the real Postgres, NATS and Temporal,
// brought up once by its global set-up.
const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': '@swc/jest' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.billow'],
};

export default {
  // A system test brings processes of its own: one test file at a time on two cores, no more than four at once anywhere.
  maxWorkers: Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2))),
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/src/**/*.spec.ts',
        '<rootDir>/workflows/**/*.spec.ts',
        '<rootDir>/activities/**/*.spec.ts',
        '<rootDir>/test/architecture/**/*.test.ts',
        '<rootDir>/test/**/*.spec.ts',
        '<rootDir>/test/properties/**/*.test.ts',
        '<rootDir>/test/vectors/**/*.test.ts',
      ],
    },
    {
      ...common,
      displayName: 'system',
      globalSetup: '<rootDir>/test/system/global-setup.js',
      globalTeardown: '<rootDir>/test/system/global-teardown.js',
      setupFilesAfterEnv: ['<rootDir>/test/system/patience.js'],
      testMatch: [
        '<rootDir>/test/system/**/*.test.ts',
        '<rootDir>/test/integration/**/*.test.ts',
        '<rootDir>/test/scenarios/**/*.test.ts',
        '<rootDir>/test/replay/**/*.test.ts',
        '<rootDir>/test/faults/**/*.test.ts',
        '<rootDir>/test/acceptance/**/*.test.ts',
      ],
    },
  ],
};
