import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unifiedDiff } from '../../../src/cli/diff.ts';
import { applyPatch, patchBetween, sameJson, setPath } from '../../../src/cli/dynamic-config.ts';
import { EXIT_CODES, exitCode } from '../../../src/cli/exit-codes.ts';
import { defaultFiles } from '../../../src/cli/config-path.ts';
import { worst } from '../../../src/cli/outcome.ts';
import { parseFormat, toFlowYaml, toYaml } from '../../../src/cli/output.ts';
import { wantsColor } from '../../../src/cli/paint.ts';
import { parseDcsUrl } from '../../../src/cli/settings.ts';
import { renderTable } from '../../../src/cli/table.ts';
import { cutText, textWidth, wrapText } from '../../../src/cli/text-width.ts';
import { parseConfigText } from '../../../src/cli/yaml-input.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';

const key = fc.stringMatching(/^[a-z][a-z_.]{0,6}$/);
const scalar = fc.oneof(
  fc.boolean(),
  fc.integer({ min: -1e6, max: 1e6 }),
  fc.constantFrom(
    'on',
    'off',
    'yes',
    '4MB',
    '',
    '0644',
    '1:30',
    'null',
    '~',
    '3.0',
    'a: b',
    '- x',
    '#',
  ),
);
const { object } = fc.letrec<{ object: JsonObject; value: Json }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalar, fc.array(scalar, { maxLength: 3 }), tie('object')),
  object: fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
}));

/** As a merge patch leaves it: an emptied mapping vanishes. */
const settled = object.map((config) => applyPatch({}, config));

describe('dynamic configuration', () => {
  test('the patch between two configurations leads from one to the other', () => {
    fc.assert(
      fc.property(settled, settled, (before, after) => {
        const reached = applyPatch(before, patchBetween(before, after));
        expect(sameJson(reached, after)).toBe(true);
      }),
    );
  });

  test('the patch between equal ones is empty', () => {
    fc.assert(
      fc.property(settled, (config) => {
        expect(patchBetween(config, config)).toEqual({});
      }),
    );
  });

  test('what show-config prints is read back as the same', () => {
    fc.assert(
      fc.property(settled, (config) => {
        expect(parseConfigText(toYaml(config), 'text')).toEqual({ ok: true, value: config });
      }),
    );
  });

  test('a path sets what it names and leaves the rest', () => {
    const config = { ttl: 30, postgresql: { use_slots: true, parameters: { a: 1 } } };
    expect(setPath(config, ['postgresql', 'parameters', 'x', 'y'], 2)).toEqual({
      ttl: 30,
      postgresql: { use_slots: true, parameters: { a: 1, 'x.y': 2 } },
    });
    expect(setPath(config, ['postgresql'], { pg_hba: [] })).toEqual({
      ttl: 30,
      postgresql: { pg_hba: [] },
    });
    expect(setPath(config, ['postgresql', 'parameters', 'a'], null)).toEqual({
      ttl: 30,
      postgresql: { use_slots: true },
    });
  });
});

describe('unified diff', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })
    .map((lines) => lines.map((line) => `${line}\n`).join(''));

  test('applied to the first text it gives the second', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(applyDiff(before, unifiedDiff(before, after))).toBe(after);
      }),
    );
  });

  test('of equal texts is empty', () => {
    fc.assert(
      fc.property(text, (same) => {
        expect(unifiedDiff(same, same)).toEqual([]);
      }),
    );
  });

  test('keeps three lines of context', () => {
    const before = '1\n2\n3\n4\n5\n6\n7\n8\n9\n';
    expect(unifiedDiff(before, before.replace('5', 'five'))).toEqual([
      '@@ -2,7 +2,7 @@',
      ' 2',
      ' 3',
      ' 4',
      '-5',
      '+five',
      ' 6',
      ' 7',
      ' 8',
    ]);
  });
});

/** Applies a diff as `patch` would, by the line numbers of its hunks. */
function applyDiff(before: string, diff: readonly string[]): string {
  const old = before.split('\n').slice(0, -1);
  const result: string[] = [];
  let next = 0;
  for (const line of diff) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (hunk !== null) {
      const start = hunk[2] === '0' ? Number(hunk[1]) : Number(hunk[1]) - 1;
      result.push(...old.slice(next, start));
      next = start;
    } else if (line.startsWith('-')) next += 1;
    else {
      if (line.startsWith(' ')) expect(line.slice(1)).toBe(old[next++]);
      result.push(line.slice(1));
    }
  }
  return [...result, ...old.slice(next)].map((line) => `${line}\n`).join('');
}

describe('tables', () => {
  test('every line has the same width, whatever the cells hold', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 3, maxLength: 3 })), (rows) => {
        const columns = [{ title: 'A' }, { title: 'B', align: 'right' } as const, { title: 'C' }];
        const { lines } = renderTable(columns, rows, { columns: undefined, title: ' T ' });
        expect(new Set(lines.map(textWidth)).size).toBe(1);
      }),
    );
  });

  test('wide characters take two cells', () => {
    expect(textWidth('日本')).toBe(4);
    expect(textWidth('e\u0301')).toBe(1);
    expect(cutText('日本語', 4)).toBe('日…');
  });

  test('text is wrapped at blanks', () => {
    expect(wrapText('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrapText('incomprehensible a', 5)).toEqual(['incomprehensible', 'a']);
    expect(wrapText('', 5)).toEqual(['']);
  });
});

describe('small decisions', () => {
  test('exit codes and names are unique', () => {
    expect(new Set(EXIT_CODES.map(({ code }) => code)).size).toBe(EXIT_CODES.length);
    for (const { code, name } of EXIT_CODES) expect(exitCode(name)).toBe(code);
  });

  test('not known is the worst outcome, then refused, then unreachable', () => {
    expect(worst([])).toBe(0);
    expect(worst([0, 3])).toBe(3);
    expect(worst([3, 1, 0])).toBe(1);
    expect(worst([1, 5, 3])).toBe(5);
  });

  test.each([
    [true, false, {}, true],
    [false, false, {}, false],
    [true, true, {}, false],
    [true, false, { NO_COLOR: '1' }, false],
    [true, false, { NO_COLOR: '' }, true],
    [true, false, { TERM: 'dumb' }, false],
  ])('colours: terminal %s, --no-color %s, %j gives %s', (isTty, noColor, env, expected) => {
    expect(wantsColor(isTty, noColor, env)).toBe(expected);
  });

  test.each([
    ['consul://h:1/a/b/', { host: 'h', port: 1, namespace: 'a/b' }],
    ['consul://h', { host: 'h', port: 8500, namespace: undefined }],
    ['consul://h:80', { host: 'h', port: 80, namespace: undefined }],
    ['consul://[::1]:8500/', { host: '::1', port: 8500, namespace: undefined }],
    ['h:8501', { host: 'h', port: 8501, namespace: undefined }],
  ])('%s is an address', (url, value) => {
    expect(parseDcsUrl(url)).toEqual({ ok: true, value });
  });

  test('the usual files, in their order', () => {
    expect(defaultFiles({ HOME: '/h' })).toEqual([
      '/h/.config/patroni/patronictl.yaml',
      '/h/.config/pgbaton/pgbaton.yml',
      '/etc/pgbaton/pgbaton.yml',
    ]);
    expect(defaultFiles({})).toEqual(['/etc/pgbaton/pgbaton.yml']);
  });

  test('yml is yaml, and tags are one line in flow style', () => {
    expect(parseFormat('yml')).toBe('yaml');
    expect(parseFormat('xml')).toBeUndefined();
    expect(toFlowYaml({ b: 'on', a: true })).toBe("{a: true, b: 'on'}");
  });
});
