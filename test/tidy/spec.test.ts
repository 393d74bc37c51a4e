import { describe, expect, test } from 'vitest';
import { RULES } from '../../src/core/decide.ts';
import { DECISION_CHECKS } from '../../src/core/invariants.ts';
import { contents, listFiles, readFile } from './repository.ts';
import { testsOf } from './spec-tables.ts';

const SPEC = contents('src/core/SPEC.md');

/** Each `- **X1** …` of the spec, up to the next one or the next heading. */
const entries: ReadonlyMap<string, string> = new Map(
  SPEC.split(/^(?=- \*\*[A-Z]\d+\*\*|## )/m).flatMap((part) => {
    const id = /^- \*\*([A-Z]\d+)\*\*/.exec(part)?.[1];
    return id === undefined ? [] : [[id, part] as const];
  }),
);
const idsOf = (letter: string): readonly string[] =>
  [...entries.keys()].filter((id) => id.startsWith(letter));
const upTo = (letter: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${letter}${at + 1}`);

describe('the spec has', () => {
  test.each([
    ['the assumptions', 'A', 5],
    ['the invariants', 'I', 9],
    ['the rules of the protocol', 'P', 18],
  ])('%s, each once and in order', (_what, letter, count) => {
    expect(idsOf(letter)).toEqual(upTo(letter, count));
  });

  test.each([...upTo('I', 9), ...upTo('P', 18)])(
    'tests for %s, or says that they are a gap',
    (id) => {
      expect(entries.get(id)).toMatch(/Tests: `test\/|Gap: /);
    },
  );
});

/** A path in backquotes, and the title in quotes that may follow it. */
const references = [...SPEC.matchAll(/`((?:test|src)\/[^`]+)`(?:\s+"([^"]+)")?/g)].map(
  ([, path = '', title]) => ({ path, title }),
);

describe('what the spec refers to', () => {
  test('is there: every file', () => {
    const gone = references.filter(({ path }) => readFile(path) === undefined);
    expect(gone.map(({ path }) => path)).toEqual([]);
  });

  test('is there: every title of a test', () => {
    const gone = references.filter(
      ({ path, title }) => title !== undefined && !contents(path).includes(title),
    );
    expect(gone).toEqual([]);
  });

  test('is there: every id of a check on decisions', () => {
    const known: ReadonlySet<string> = new Set(DECISION_CHECKS.map(({ id }) => id));
    const named = [...SPEC.matchAll(/\bD\d+\b/g)].map(([id]) => id);
    expect(named.filter((id) => !known.has(id))).toEqual([]);
  });

  test('is there: what each check on decisions serves', () => {
    const unknown = DECISION_CHECKS.flatMap(({ serves }) => serves).filter(
      (id) => !entries.has(id),
    );
    expect(unknown).toEqual([]);
  });
});

describe('the code refers', () => {
  test('to no assumption, invariant or rule of the protocol that the spec does not have', () => {
    const unknown = listFiles(/^src\/(core|agent|guardian)\/.*\.ts$/).flatMap((path) =>
      contents(path)
        .split('\n')
        .filter((line) => /^\s*(\/\*\*|\*|\/\/)/.test(line))
        .flatMap((line) => line.match(/\b[AIP]\d{1,2}\b/g) ?? [])
        .filter((id) => !entries.has(id))
        .map((id) => `${path}: ${id}`),
    );
    expect(unknown).toEqual([]);
  });
});

describe('every rule', () => {
  test.each(RULES.map((rule) => [rule.number, rule] as const))(
    '%i has a file and a table',
    (_n, rule) => {
      expect(readFile(`src/core/rules/${rule.number}-${rule.name}.ts`)).toBeDefined();
      expect(testsOf(rule)).not.toEqual([]);
    },
  );

  test.each(RULES.map((rule) => [rule.number, rule] as const))(
    '%i has rows in which it decides, and rows in which another does',
    (_n, rule) => {
      const rows = testsOf(rule)
        .flatMap((path) => contents(path).match(/rule: '(R\d+)'/g) ?? [])
        .map((found) => found.slice("rule: '".length, -1));
      expect(rows).toContain(`R${rule.number}`);
      expect(rows.some((decided) => decided !== `R${rule.number}`)).toBe(true);
    },
  );

  test('has a file, and every file is a rule', () => {
    const files = listFiles(/^src\/core\/rules\/.*\.ts$/).map((path) =>
      path.slice('src/core/rules/'.length),
    );
    const wanted = RULES.map((rule) => `${rule.number}-${rule.name}.ts`);
    expect(files.toSorted()).toEqual(wanted.toSorted());
  });
});
