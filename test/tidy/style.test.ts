import { describe, expect, test } from 'vitest';
import { contents, listFiles } from './repository.ts';

const SOURCES = listFiles(/^(src|test)\/.*\.(ts|mts|mjs|cjs|js|css|html)$/);
/** This file names what it looks for. */
const SELF = 'test/tidy/style.test.ts';
const OTHERS = SOURCES.filter((path) => path !== SELF);
const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const COMPLEXITY_MAX = 15;

describe('sizes', () => {
  test(`no file has more than ${LINES_MAX} lines`, () => {
    const tooLong = SOURCES.map((path) => ({
      path,
      lines: contents(path).trimEnd().split('\n').length,
    }))
      .filter(({ lines }) => lines > LINES_MAX)
      .map(({ path, lines }) => `${path}: ${lines}`);
    expect(tooLong).toEqual([]);
  });

  interface Overrides {
    readonly files: readonly string[];
    readonly rules: Readonly<Record<string, unknown>>;
  }
  const lint = JSON.parse(contents('.oxlintrc.json')) as {
    readonly rules: Readonly<Record<string, unknown>>;
    readonly overrides: readonly Overrides[];
  };

  test('the linter holds functions to the same kind of bounds', () => {
    expect(lint.rules['max-lines']).toEqual(['error', { max: LINES_MAX }]);
    expect(lint.rules['max-lines-per-function']).toEqual([
      'error',
      { max: FUNCTION_LINES_MAX, skipBlankLines: true, skipComments: true },
    ]);
    expect(lint.rules['complexity']).toEqual(['error', { max: COMPLEXITY_MAX }]);
  });

  test('no part of the program is exempt from them', () => {
    const bounds = ['max-lines', 'max-lines-per-function', 'complexity'];
    const exempt = lint.overrides
      .filter(({ rules }) => bounds.some((rule) => rule in rules))
      .flatMap(({ files }) => files)
      .filter((files) => !files.startsWith('test/'));
    expect(exempt).toEqual([]);
  });

  test('no file switches the linter, the compiler or the formatter off', () => {
    const switches = /(ox|es)lint-disable|@ts-(ignore|nocheck|expect-error)|prettier-ignore/;
    const found = OTHERS.filter((path) => switches.test(contents(path)));
    expect(found).toEqual([]);
  });
});

describe('words', () => {
  const WRITTEN = listFiles(/\.(ts|mts|mjs|cjs|js|css|html|md|yml|yaml|json|cfg|service)$/).filter(
    (path) => path !== 'package-lock.json' && path !== SELF,
  );
  const BANNED: readonly (readonly [string, RegExp])[] = [
    ['unfinished work', /\b(TODO|FIXME|XXX)\b/],
    ['a test that runs alone', /\.only\(/],
    ['a test that does not run, or is glad to fail', /\.(skip|todo|fails)\(/],
  ];

  for (const [what, pattern] of BANNED) {
    test(`${what} is not left behind`, () => {
      const found = WRITTEN.flatMap((path) =>
        contents(path)
          .split('\n')
          .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])),
      );
      expect(found).toEqual([]);
    });
  }

  test('no file is a barrel: each thing is imported from where it is', () => {
    const barrels = SOURCES.filter(
      (path) => path.startsWith('src/') && path.endsWith('.ts'),
    ).filter((path) => /^export (\*|\{[^}]*\}) from /m.test(contents(path)));
    expect(barrels).toEqual([]);
  });

  test('nothing is exported as default, but what a tool reads so', () => {
    const defaults = SOURCES.filter((path) => path.startsWith('src/')).filter((path) =>
      /^export default /m.test(contents(path)),
    );
    expect(defaults).toEqual([]);
  });
});
