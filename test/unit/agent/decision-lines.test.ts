import { expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

interface Line {
  readonly member: string;
  readonly rule: string;
  readonly rule_name: string;
  readonly why: string;
  readonly actions: readonly string[];
  readonly generation: number;
}

const decisions = (cluster: FakeCluster): readonly Line[] =>
  cluster.log.flatMap((text) => {
    const [, member = '', fields] = /^\d+ (\S+) decision (\{.*\})$/.exec(text) ?? [];
    return fields === undefined
      ? []
      : [{ member, ...(JSON.parse(fields) as Omit<Line, 'member'>) }];
  });

const shape = ({ rule, why }: Line): string => `${rule} ${why.replace(/\d+/g, '#')}`;

test('the log has one line per change of decision, with rule, reason, orders and generation', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(60_000);
  const quiet = decisions(cluster).length;
  await cluster.run(60_000);
  expect(decisions(cluster), 'nothing changes').toHaveLength(quiet);

  cluster.isolate('pg1');
  expect(await cluster.until(() => cluster.writable().includes('pg2'), 20_000)).toBe(true);
  await cluster.run(5_000);
  const lines = decisions(cluster);
  for (const { rule, rule_name: name, why, actions, generation } of lines) {
    expect(rule).toMatch(/^R\d{3}$/);
    expect(name).toMatch(/^[a-z-]+$/);
    expect(why).not.toBe('');
    expect(Array.isArray(actions)).toBe(true);
    expect(generation).toBeGreaterThanOrEqual(0);
  }
  for (const member of MEMBERS) {
    const shapes = lines.filter((line) => line.member === member).map(shape);
    const repeated = shapes.filter((text, at) => at > 0 && text === shapes[at - 1]);
    expect(repeated).toEqual([]);
  }
  expect(lines.at(-1)).toMatchObject({ member: 'pg2', rule: 'R350', generation: 6 });
});
