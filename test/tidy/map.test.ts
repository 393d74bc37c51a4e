import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import config from '../vitest.config.ts';
import { contents, listFiles, ROOT } from './repository.ts';

const DOCUMENTS = listFiles(/\.md$/);

describe('documents', () => {
  test('link only to files that are there', () => {
    const broken = DOCUMENTS.flatMap((path) =>
      [...contents(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)].flatMap(
        ([, target = '']) =>
          existsSync(join(ROOT, normalize(join(dirname(path), target))))
            ? []
            : [`${path}: ${target}`],
      ),
    );
    expect(broken).toEqual([]);
  });

  test('speak of npm scripts that exist', () => {
    const { scripts } = JSON.parse(contents('package.json')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const unknown = DOCUMENTS.flatMap((path) =>
      [...contents(path).matchAll(/npm run ([a-z:-]+)/g)].flatMap(([, name = '']) =>
        name in scripts ? [] : [`${path}: npm run ${name}`],
      ),
    );
    expect(unknown).toEqual([]);
  });
});

interface Project {
  readonly name: string;
  readonly include: readonly string[];
}

/** What the configuration itself says, without the types of the tool, which allow much more. */
const PROJECTS = ((config.test?.projects ?? []) as readonly { readonly test: Project }[]).map(
  (project) => project.test,
);

const foldersBelow = (top: string): readonly string[] => [
  ...new Set(listFiles(new RegExp(`^${top}/[^/]+/`)).map((path) => path.split('/')[1] ?? '')),
];

describe('the map of the code', () => {
  test.each(foldersBelow('src'))('shows src/%s', (folder) => {
    expect(contents('src/README.md')).toMatch(new RegExp(`\\b${folder}[/)]`));
  });

  test('names rules that exist by their number', () => {
    const numbers = [...contents('src/README.md').matchAll(/\brule (\d{3})\b/gi)].map(([, n]) => n);
    const known = listFiles(/^src\/core\/rules\//).map((path) => /rules\/(\d+)/.exec(path)?.[1]);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers.filter((number) => !known.includes(number))).toEqual([]);
  });
});

describe('the map of the tests', () => {
  const map = contents('test/README.md');

  test.each(foldersBelow('test').filter((folder) => folder !== 'harness'))(
    'says what test/%s answers',
    (folder) => {
      expect(map).toContain(`\`test/${folder}`);
    },
  );

  test('names every project of the configuration', () => {
    const names = PROJECTS.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !map.includes(`\`${name}\``))).toEqual([]);
  });

  test('every test file belongs to a project', () => {
    const patterns = PROJECTS.flatMap(({ include }) => include);
    const orphans = listFiles(/^test\/.*\.test\.ts$/).filter(
      (path) => !patterns.some((pattern) => matches(pattern, path)),
    );
    expect(orphans).toEqual([]);
  });
});

/** Only what the configuration uses: `**` for any folders, `*` within a name. */
function matches(pattern: string, path: string): boolean {
  const source = pattern
    .split('/')
    .map((part) =>
      part === '**' ? '(?:[^/]+/)*' : `${part.replace(/[.+]/g, '\\$&').replace(/\*/g, '[^/]*')}/`,
    )
    .join('')
    .replace(/\/$/, '');
  return new RegExp(`^${source}$`).test(path);
}
