import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import {
  alertRules,
  DASHBOARDS,
  dashboardExpressions,
  recordingRules,
  selectorsOf,
} from '../harness/expressions.ts';
import { prometheusBinaries, TestPrometheus } from '../harness/prometheus.ts';

const EXPECTED_ALERTS = ['PgbatonFailover', 'PgbatonSwitchover'];
const FIRING = 'ALERTS{alertstate="firing"}';

const seconds = (): number => Date.now() / 1000;

let prometheus: TestPrometheus | undefined;
let begunAt = 0;
let healthyAt = 0;

/** It watches from before the founding, so that it sees clones too. */
const get = useCluster(
  {
    members: 3,
    local: () => ({ postgresql: { callbacks: { on_role_change: '/bin/true' } } }),
  },
  async (cluster) => {
    begunAt = seconds();
    const targets = cluster.members.map(({ restUrl }) => new URL(restUrl).host);
    prometheus = await TestPrometheus.start(cluster.run, targets);
    await cluster.settle();
    healthyAt = seconds();
  },
);

const range = async (expression: string, from = begunAt) => {
  if (prometheus === undefined) throw new Error('Prometheus was not started');
  return prometheus.range(expression, from, seconds());
};

const firing = async (): Promise<readonly string[]> => {
  const series = await range(FIRING, healthyAt);
  return [...new Set(series.map(({ labels }) => labels['alertname'] ?? ''))].toSorted();
};

beforeAll(async () => {
  const lost = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis);
  await lost.kill();
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, lost);
  lost.start();
  await get().cluster.waitForStreaming(winner, BOUNDS.rejoinMillis);
  await get().cluster.switchover(winner, lost, BOUNDS.takeoverMillis);
  await get().settle();
  await eventually('both alerts', async () => {
    const names = await firing();
    return EXPECTED_ALERTS.every((name) => names.includes(name));
  });
});

afterAll(async () => {
  await prometheus?.stop();
});

/** As Grafana fills them in. */
const filled = (expression: string): string =>
  expression
    .replaceAll('$scope', 'test')
    .replaceAll('$__rate_interval', '5s')
    .replaceAll('$__range', '5m');

/** A line for each expression; `PGBATON_EXPRESSION_VALUES=FILE` keeps them, to be read by a person. */
const described = (where: string, text: string, values: readonly number[]): string =>
  [where, text, ...[Math.min(...values), Math.max(...values), values.at(-1)].map(String)].join(
    '\t',
  );

describe('a lost host and a switchover, as a real Prometheus has seen them', () => {
  test('every expression of a dashboard and every recording rule has a value', async () => {
    const expressions = [
      ...dashboardExpressions(),
      ...recordingRules().map(({ record, expr }) => ({ where: record, text: expr })),
      ...recordingRules().map(({ record }) => ({ where: record, text: record })),
    ];
    const empty: string[] = [];
    const lines = ['where\texpression\tleast\tmost\tlast'];
    for (const { where, text } of expressions) {
      const series = await range(filled(text));
      const values = series.flatMap((one) => one.values.filter(Number.isFinite));
      if (values.length === 0) empty.push(`${where}: ${text}`);
      else lines.push(described(where, text, values));
    }
    const file = process.env['PGBATON_EXPRESSION_VALUES'];
    if (file !== undefined) writeFileSync(file, `${lines.join('\n')}\n`);
    expect(empty).toEqual([]);
  });

  test('whatever an alert looks at is there', async () => {
    const selected = alertRules().flatMap(({ alert, expr }) =>
      selectorsOf(expr).map(({ metric, matchers }) => ({ alert, text: `${metric}{${matchers}}` })),
    );
    const empty: string[] = [];
    for (const { alert, text } of selected) {
      if ((await range(text)).length === 0) empty.push(`${alert}: ${text}`);
    }
    expect(empty).toEqual([]);
  });

  test('the alerts of a failover and of a switchover fire, and nothing else', async () => {
    expect(await firing()).toEqual(EXPECTED_ALERTS);
  });
});

test('promtool finds no fault in the rules, and every alert fires on its story', () => {
  const { tool } = prometheusBinaries();
  const run = (...args: readonly string[]): string =>
    execFileSync(tool, args, { cwd: DASHBOARDS, encoding: 'utf8', stdio: 'pipe' });
  const rules = ['recording.rules.yml', 'alerts.rules.yml'].map((file) => join(DASHBOARDS, file));
  expect(run('check', 'rules', ...rules)).toContain('SUCCESS');
  expect(run('test', 'rules', join(DASHBOARDS, 'alerts.test.yml'))).toContain('SUCCESS');
});
