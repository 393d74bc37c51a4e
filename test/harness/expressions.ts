import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** What is in the folder dashboards: every expression, with where it stands. */

export const DASHBOARDS = new URL('../../dashboards', import.meta.url).pathname;
export const DASHBOARD_FILES = ['overview.json', 'failover-forensics.json', 'fleet.json'] as const;

export interface Expression {
  readonly where: string;
  readonly text: string;
}

interface Target {
  readonly expr: string;
  readonly datasource: Datasource;
}

interface Datasource {
  readonly type: string;
  readonly uid: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource: Datasource;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly targets: readonly Target[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly definition?: string;
    }[];
  };
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr: string }[];
  };
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

const text = (file: string): string => readFileSync(join(DASHBOARDS, file), 'utf8');

export const dashboard = (file: string): Dashboard => JSON.parse(text(file)) as Dashboard;

const rulesOf = (file: string): readonly unknown[] =>
  (
    parse(text(file)) as { readonly groups: readonly { readonly rules: readonly unknown[] }[] }
  ).groups.flatMap(({ rules }) => rules);

export const alertRules = (): readonly AlertRule[] =>
  rulesOf('alerts.rules.yml') as readonly AlertRule[];

export const recordingRules = (): readonly RecordingRule[] =>
  rulesOf('recording.rules.yml') as readonly RecordingRule[];

/** Of panels and of annotations; with the variables of Grafana. */
export function dashboardExpressions(): readonly Expression[] {
  return DASHBOARD_FILES.flatMap((file) => {
    const { panels, annotations } = dashboard(file);
    return [
      ...panels.flatMap(({ title, targets }) =>
        targets.map(({ expr }) => ({ where: `${file}: ${title}`, text: expr })),
      ),
      ...annotations.list.map(({ name, expr }) => ({ where: `${file}: ${name}`, text: expr })),
    ];
  });
}

export const ruleExpressions = (): readonly Expression[] => [
  ...recordingRules().map(({ record, expr }) => ({ where: record, text: expr })),
  ...alertRules().map(({ alert, expr }) => ({ where: alert, text: expr })),
];

/** A metric as an expression selects it: its name, and the text between the braces. */
export interface Selector {
  readonly metric: string;
  readonly matchers: string;
}

const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset']);
const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;

/** The selectors of an expression. Enough of PromQL for what the folder holds; ranges are left out. */
export function selectorsOf(expression: string): readonly Selector[] {
  const plain = expression.replace(GROUPING, ' ').replace(/\[[^\]]*\]/g, ' ');
  const found = plain.matchAll(/("[^"]*")|([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\}|(\())?/g);
  return [...found].flatMap(([, quoted, metric, matchers = '', call]) =>
    quoted !== undefined || metric === undefined || call !== undefined || KEYWORDS.has(metric)
      ? []
      : [{ metric, matchers }],
  );
}

export const labelsOf = ({ matchers }: Selector): readonly string[] =>
  [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
