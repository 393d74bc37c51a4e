import { RULES } from '../../src/core/decide.ts';
import type { Rule } from '../../src/core/decision.ts';
import { DECISION_CHECKS } from '../../src/core/invariants.ts';
import type { MarkedTable } from './marked-tables.ts';
import { listFiles } from './repository.ts';

/** The tables of `src/core/SPEC.md` that repeat what the code says. */
const link = (path: string, from: string): string =>
  `[${path.slice(path.lastIndexOf('/') + 1).replace(/\.test\.ts$|\.ts$/, '')}](${from}${path})`;

/** Test files of a rule: `test/core/rules/<number>-*.test.ts`. */
export const testsOf = ({ number }: Rule): readonly string[] =>
  listFiles(new RegExp(`^test/core/rules/${number}-[a-z-]+\\.test\\.ts$`));

const rules: MarkedTable = {
  name: 'rules',
  heading: '## Rules',
  columns: ['Rule', 'Name', 'Fires when', 'Code', 'Tests'],
  rows: () =>
    RULES.map((rule) => [
      `R${rule.number}`,
      rule.name,
      rule.when,
      `[rules/${rule.number}](rules/${rule.number}-${rule.name}.ts)`,
      testsOf(rule)
        .map((path) => link(path, '../../'))
        .join(', '),
    ]),
};

const checks: MarkedTable = {
  name: 'checks',
  heading: '## Checks on every decision',
  columns: ['Check', 'Claim', 'Serves'],
  rows: () => DECISION_CHECKS.map(({ id, claim, serves }) => [id, claim, serves.join(', ')]),
};

export const SPEC_TABLES: readonly MarkedTable[] = [rules, checks];
