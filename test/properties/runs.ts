/** Cases per property: `PROPERTY_RUNS=10000 npm run unit -- test/properties` for the long run. */
export const RUNS = { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 1000) };
