/*
 * npm run vectors -- [FOLDER]
 *
 * Runs a folder of vector files (default: the project's own) against the pure functions and prints a table: how many rows
 * of each file pass, which ones do not and why. Leaves with 1 when anything failed.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { coverageTable, type Judged } from './coverage-table.js';
import { faultsOf, readVectorFiles } from '../vectors/vector-files.js';

const given = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
const folder = given ? resolve(given) : join(projectRoot(), 'test/acceptance/vectors');

const judged = readVectorFiles(folder).flatMap((file) =>
  file.vectors.map((vector): Judged => {
    const faults = faultsOf(file, vector);
    const failure = faults.length > 0 ? faults.join('; ') : undefined;
    return { id: vector.id, features: [file.name.replace(/\.json$/, '')], failure };
  }),
);
console.log(coverageTable(judged));
process.exitCode = judged.some(({ failure }) => failure !== undefined) ? 1 : 0;

/** The nearest folder above with a package.json: this file runs compiled, one level deeper than it is written. */
function projectRoot(): string {
  let here = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(here, 'package.json'))) here = dirname(here);
  return here;
}
