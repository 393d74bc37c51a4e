import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultsOf, fill, render } from './marked-tables.ts';
import type { MarkedTable } from './marked-tables.ts';
import { README_TABLES } from './readme-tables.ts';
import { contents, ROOT } from './repository.ts';
import { SIM_TABLES } from './sim-tables.ts';
import { SPEC_TABLES } from './spec-tables.ts';

/** `UPDATE_README=1 npx vitest run --config test/vitest.config.ts --project tidy` writes them anew. */
const DOCUMENTS: readonly (readonly [string, readonly MarkedTable[]])[] = [
  ['README.md', README_TABLES],
  ['src/core/SPEC.md', SPEC_TABLES],
  ['test/README.md', SIM_TABLES],
];

for (const [path, tables] of DOCUMENTS) {
  describe(`the tables of ${path} are those of the code`, () => {
    for (const table of tables) {
      test(table.heading, async () => {
        if (process.env['UPDATE_README'] === '1') {
          writeFileSync(join(ROOT, path), await fill(contents(path), [table]));
        }
        const faults = await faultsOf(contents(path), table);
        expect(
          faults,
          `${path} "${table.heading}": run the tidy tests with UPDATE_README=1`,
        ).toEqual([]);
      });
    }
  });
}

describe('the comparison of tables', () => {
  const table: MarkedTable = {
    name: 'fruit',
    heading: '## Fruit',
    columns: ['Name', 'Colour'],
    rows: () => [
      ['apple', 'red'],
      ['a|b', 'green'],
    ],
  };
  const empty = '# Title\n\n## Fruit\n\n<!-- table:fruit -->\n<!-- /table -->\n\n## Next\n';

  test('finds nothing in what it has written itself', async () => {
    expect(await faultsOf(await fill(empty, [table]), table)).toEqual([]);
  });

  test('names each row that is missing and each that is in excess', async () => {
    const filled = await fill(empty, [table]);
    expect(await faultsOf(filled.replace('red', 'blue'), table)).toEqual([
      'missing:  | apple | red |',
      'in excess: | apple | blue |',
    ]);
  });

  test('sees rows in another order', async () => {
    const swapped: MarkedTable = { ...table, rows: () => [...table.rows()].toReversed() };
    expect(await faultsOf(await fill(empty, [swapped]), table)).toEqual([
      'the order or the layout of the rows differs',
    ]);
  });

  test('names a marker that is missing, also when it stands under another heading', async () => {
    const elsewhere = '## Fruit\n\n## Next\n\n<!-- table:fruit -->\n<!-- /table -->\n';
    expect(await faultsOf(elsewhere, table)).toEqual([
      '"<!-- table:fruit -->" is missing under "## Fruit"',
    ]);
    expect(await faultsOf('# Title\n', table)).toEqual(['the heading "## Fruit" is missing']);
  });

  test('writes a bar so that it does not end the cell', async () => {
    expect(await render(table)).toContain('a\\|b');
  });
});
