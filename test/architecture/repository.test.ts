import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { ESLint } from 'eslint';

const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8', maxBuffer: 64 << 20 })
  .split('\0')
  .filter((path) => path !== '' && lstatSync(path, { throwIfNoEntry: false })?.isFile());

describe('names', () => {
  test.each([
    ['src/common/money.ts', true],
    ['src/domain/utils/round.ts', true],
    ['src/invoicing/helpers.ts', true],
    ['src/invoicing/invoice-helper.ts', true],
    ['src/customers/common-name.entity.ts', false],
    ['src/invoicing/invoice.service.ts', false],
  ])('%s hides a missing noun: %s', (path, hides) => {
    expect(hidesAMissingNoun(path)).toBe(hides);
  });

  test('no file of the project does', () => {
    expect(tracked.filter(hidesAMissingNoun)).toEqual([]);
  });
});

describe('a clone works on any machine', () => {
  // Put together, so that a search for such paths does not end here.
  const checkout = ['', 'work', 'main'].join('/');

  test.each([
    ['see /home/alice/billow', ['/home/alice/']],
    ['"cwd": "/Users/bob/src"', ['/Users/bob/']],
    ['cd /root/billow', ['/root/']],
    [`const x = "${checkout}"`, [checkout]],
    ['GET /api/v1/homework/main', []],
    [
      '"resolved": "https://registry.example.com/left-pad/-/left-pad-1.3.0.tgz"',
      ['"resolved": "https://registry.example.com/'],
    ],
    ['registry=https://npm.example.com/', ['registry=https://npm.example.com/']],
    ['GOPROXY=https://proxy.example.com', ['GOPROXY=https://proxy.example.com']],
    ['"version": "1.3.0"', []],
  ])('%s names a machine or a private registry: %j', (text, found) => {
    expect(machineTraces(text)).toEqual(found);
  });

  test('no tracked file names one', () => {
    const found = tracked
      // This file has the examples above.
      .filter((path) => path !== 'test/architecture/repository.test.ts')
      .flatMap((path) => machineTraces(readFileSync(path, 'utf8')).map((trace) => `${path}: ${trace}`));
    expect(found).toEqual([]);
  });
});

test('.env.example names every setting', () => {
  const settings = [...readFileSync('src/platform/config.ts', 'utf8').matchAll(/: '([A-Z][A-Z_]+)'/g)].map(
    ([, name]) => name!,
  );
  const example = readFileSync('.env.example', 'utf8');
  expect(settings.length).toBeGreaterThan(10);
  expect(settings.filter((name) => !new RegExp(`^#? ?${name}=`, 'm').test(example))).toEqual([]);
});

describe('lint', () => {
  // On CI the parser takes one run over the files for granted and reads them from disk; here the text counts.
  const eslint = new ESLint({
    overrideConfig: { languageOptions: { parserOptions: { disallowAutomaticSingleRunInference: true } } },
  });

  // The text is linted as if it stood in that file.
  test.each([
    ['src/domain/money/money.ts', 'export const at = Date.now();', 'no-restricted-syntax'],
    ['src/domain/money/money.ts', 'export const at = new Date();', 'no-restricted-syntax'],
    ['src/domain/money/money.ts', 'export const at = Math.random();', 'no-restricted-syntax'],
    ['src/platform/config.ts', 'console.log(1);', 'no-console'],
    ['src/platform/config.ts', 'async function f() {}\nf();', '@typescript-eslint/no-floating-promises'],
    ['src/platform/config.ts', 'export const x: any = 1;', '@typescript-eslint/no-explicit-any'],
    ['src/platform/config.ts', 'try { [].at(0); } catch {}', 'no-empty'],
  ])(
    'in %s refuses %s',
    async (filePath, text, rule) => {
      const [result] = await eslint.lintText(text, { filePath });
      expect(result!.messages.map((message) => message.ruleId)).toContain(rule);
    },
    60_000,
  );

  test('lets the domain make a Date of an instant it was given', async () => {
    const [result] = await eslint.lintText('export const at = (ms: number) => new Date(ms);', {
      filePath: 'src/domain/money/money.ts',
    });
    expect(result!.messages).toEqual([]);
  });
});

/** "Utils", "helpers" and "common" say nothing about what lies inside; the noun for it is missing. */
function hidesAMissingNoun(path: string): boolean {
  return path.split('/').some((part) => /^(utils?|helpers?|common|shared|misc)(\.|$)|-(utils?|helpers?)\./.test(part));
}

/** Traces of the machine somebody worked on: home folders, a checkout's absolute path, a registry other than npm's own. */
function machineTraces(text: string): string[] {
  const patterns = [
    /\/(?:home|Users)\/[\w.-]+\//g,
    /(?<![\w.])\/root\//g,
    /(?<![\w.])\/work\/(?:main|shared)/g,
    /"resolved": "https?:\/\/[^/"]+\//g,
    /\bregistry=\S+/g,
    /\bGOPROXY=https?:\S+/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[0]));
}
