import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { notHonouredKeys } from '../../src/config/not-honoured.ts';
import { OWN_GAUGES, PATRONI_METRICS } from '../../src/telemetry/gauge-table.ts';
import { EVENT_METRICS } from '../../src/telemetry/metric-table.ts';
import {
  alertRules,
  DASHBOARD_FILES,
  dashboard,
  dashboardExpressions,
  labelsOf,
  recordingRules,
  ruleExpressions,
  selectorsOf,
} from '../harness/expressions.ts';
import type { Expression } from '../harness/expressions.ts';
import { contents, listFiles } from './repository.ts';

/** Prometheus' own, with their labels. */
const FOREIGN: readonly (readonly [string, readonly string[]])[] = [
  ['up', ['job', 'instance']],
  ['ALERTS', ['alertname', 'alertstate']],
];

/** Name to the labels that it may be selected by. */
const KNOWN = new Map<string, readonly string[]>([
  ...FOREIGN,
  ...[...PATRONI_METRICS, ...OWN_GAUGES].map(({ name, labels }) => [name, labels] as const),
  ...EVENT_METRICS.flatMap(({ name, type, labels }) => {
    const whole = `pgbaton_${name}`;
    const parts = ['_bucket', '_sum', '_count'].map((part) => `${whole}${part}`);
    return (type === 'counter' ? [whole] : parts).map((series) => [series, labels] as const);
  }),
  ...recordingRules().map(({ record }) => [record, ['member']] as const),
]);

function faultsOf({ where, text }: Expression): readonly string[] {
  return selectorsOf(text).flatMap((selector) => {
    const labels = KNOWN.get(selector.metric);
    if (labels === undefined) return [`${where}: no metric ${selector.metric}`];
    return labelsOf(selector)
      .filter((label) => !['scope', 'name', ...labels].includes(label))
      .map((label) => `${where}: ${selector.metric} has no label ${label}`);
  });
}

describe('every expression', () => {
  test('of a dashboard selects metrics and labels that there are', () => {
    const expressions = dashboardExpressions();
    expect(expressions.length).toBeGreaterThan(50);
    expect(expressions.flatMap(faultsOf)).toEqual([]);
  });

  test('of a rule selects metrics and labels that there are', () => {
    expect(ruleExpressions().flatMap(faultsOf)).toEqual([]);
  });

  test('is looked into: a wrong name and a wrong label are found', () => {
    const text =
      'sum by (scope) (rate(pgbaton_typo_total{scope="a"}[5m])) > on (name) patroni_primary{cause="x"}';
    expect(faultsOf({ where: 'here', text })).toEqual([
      'here: no metric pgbaton_typo_total',
      'here: patroni_primary has no label cause',
    ]);
  });
});

describe.each(DASHBOARD_FILES)('dashboards/%s', (file) => {
  const { panels, templating, annotations } = dashboard(file);
  const names = templating.list.map(({ name }) => name);

  test('asks for its data source and its cluster by variables', () => {
    expect(names).toEqual(['datasource', 'scope']);
    const sources = panels.flatMap((panel) => [
      panel.datasource,
      ...panel.targets.map(({ datasource }) => datasource),
    ]);
    expect(new Set(sources.map(({ uid }) => uid))).toEqual(new Set(['${datasource}']));
    expect(annotations.list.map(({ name }) => name)).toEqual(
      file === 'fleet.json' ? [] : ['failover', 'switchover'],
    );
  });

  test('shows only the clusters that are chosen', () => {
    const unbound = panels
      .flatMap(({ targets }) => targets)
      .flatMap(({ expr }) => selectorsOf(expr).map((selector) => ({ expr, selector })))
      .filter(({ selector }) => selector.metric !== 'ALERTS')
      .filter(({ selector }) => !/scope=~?"\$scope"/.test(selector.matchers));
    expect(unbound).toEqual([]);
  });

  test('has panels of their own ids and titles, which do not overlap', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

test('dashboards have ids of their own, and none is left out here', () => {
  const uids = DASHBOARD_FILES.map((file) => dashboard(file).uid);
  expect(new Set(uids).size).toBe(uids.length);
  expect(listFiles(/^dashboards\/.*\.json$/).toSorted()).toEqual(
    DASHBOARD_FILES.map((file) => `dashboards/${file}`).toSorted(),
  );
});

describe('alerts and their runbooks', () => {
  const alerts = alertRules();
  const runbooks = contents('dashboards/runbooks.md').split(/^### /m).slice(1);

  test('every alert has its paragraph, and every paragraph its alert', () => {
    const titles = runbooks.map((paragraph) => paragraph.split('\n')[0] ?? '');
    expect(titles.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  test.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s says how bad it is and links to its paragraph',
    (name, { annotations, labels }) => {
      expect(['critical', 'warning', 'info']).toContain(labels.severity);
      expect(annotations.runbook_url.split('#')[1]).toBe(name.toLowerCase());
      const paragraph = runbooks.find((text) => text.startsWith(`${name}\n`)) ?? '';
      for (const part of ['**Means.**', '**Look.**', '**Do.**']) expect(paragraph).toContain(part);
    },
  );

  test('runbooks name commands that there are', () => {
    const known = listFiles(/^src\/cli\/.*\.ts$/).flatMap((path) =>
      [...contents(path).matchAll(/\.command\('([\w-]+)/g)].map(([, name = '']) => name),
    );
    const named = [...contents('dashboards/runbooks.md').matchAll(/`pgbaton ([\w-]+)/g)];
    expect(named.length).toBeGreaterThan(5);
    expect(named.map(([, name = '']) => name).filter((name) => !known.includes(name))).toEqual([]);
  });

  // Without --kill-who it goes to all processes of the unit, and PostgreSQL's checkpointer ends on SIGUSR2.
  test('runbooks signal nothing but the agent', () => {
    const signals = [...contents('dashboards/runbooks.md').matchAll(/systemctl kill[^`]*/g)];
    expect(signals.map(([text]) => text).filter((text) => !text.includes('--kill-who'))).toEqual(
      [],
    );
  });

  test('runbooks rely on no setting that nothing acts on', () => {
    const text = contents('dashboards/runbooks.md');
    const relied = notHonouredKeys().filter((key) => text.includes(`\`${key}\``));
    const said = relied.filter((key) => text.includes(`nothing acts on \`${key}\` yet`));
    expect(relied).toEqual(said);
  });

  test('every alert is tried on a story in which it fires and on one in which it does not', () => {
    const { tests } = parse(contents('dashboards/alerts.test.yml')) as {
      readonly tests: readonly { readonly name: string }[];
    };
    const wanted = alerts.flatMap(({ alert }) => [`${alert} fires`, `${alert} stays silent`]);
    expect(tests.map(({ name }) => name).toSorted()).toEqual(wanted.toSorted());
  });
});
