/*
 * npm run vectors -- [FOLDER]
 *
 * Runs a folder of vector files (default: the project's own) against the pure functions, prints a line per file, the
 * faults below it, and `N passed, N failed` at the end. Leaves with 1 when anything failed.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faultsOf, readVectorFiles } from '../vectors/vector-files.js';

const given = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
const folder = given ? resolve(given) : join(projectRoot(), 'test/acceptance/vectors');

let passed = 0;
let failed = 0;
for (const file of readVectorFiles(folder)) {
  const faults = file.vectors.flatMap((vector) => {
    const found = faultsOf(file, vector);
    return found.length > 0 ? [`     ${vector.id}: ${found.join('; ')}`] : [];
  });
  passed += file.vectors.length - faults.length;
  failed += faults.length;
  const good = file.vectors.length - faults.length;
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${file.name} ${good}/${file.vectors.length}`);
  for (const fault of faults) console.log(fault);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** The nearest folder above with a package.json: this file runs compiled, one level deeper than it is written. */
function projectRoot(): string {
  let here = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(here, 'package.json'))) here = dirname(here);
  return here;
}
