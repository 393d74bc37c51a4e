import { Command } from 'commander';
import { ENDPOINTS } from '../../src/api/endpoints.ts';
import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { PATRONICTL_ONLY } from '../../src/cli/patronictl.ts';
import { COMMANDS } from '../../src/cli/program.ts';
import type { Runner } from '../../src/cli/runner.ts';
import { notHonouredKeys } from '../../src/config/not-honoured.ts';
import { SETTINGS_REFERENCE } from '../../src/config/reference.ts';
import { RULES } from '../../src/core/decide.ts';
import type { PostgresState } from '../../src/core/postgres.ts';
import { AGENT_EXIT } from '../../src/main.ts';
import { OWN_GAUGES, PATRONI_METRICS } from '../../src/telemetry/gauge-table.ts';
import { EVENT_METRICS } from '../../src/telemetry/metric-table.ts';
import type { MarkedTable } from './marked-tables.ts';

/** The tables of the top README, each from the constants that the program itself works by. */
const code = (text: string): string => `\`${text}\``;

const rules: MarkedTable = {
  name: 'rules',
  heading: '## Rules',
  columns: ['Rule', 'Name', 'Fires when'],
  rows: () => RULES.map(({ number, name, when }) => [`R${number}`, name, when]),
};

/** What each word means; that none is missing is checked by the compiler. */
const STATES: Readonly<Record<PostgresState, string>> = {
  'initializing new cluster': 'initdb or the custom bootstrap command runs',
  'initdb failed': 'it failed; the log says why, others may try',
  'running custom bootstrap script': 'roles are made and `post_bootstrap` runs',
  'custom bootstrap failed': 'it failed; the lease is kept and it is tried again',
  'creating replica': 'a clone is being made',
  running: 'it accepts connections',
  starting: 'it was started and does not accept connections yet',
  'start failed': 'it ended while starting; its own log says why',
  restarting: 'a restart that was asked for is under way',
  'restart failed': 'that restart failed',
  stopping: 'it is being stopped',
  stopped: 'it is down, as it was asked to be, or there are no data yet',
  'stop failed': 'it did not end within its bound',
  crashed: 'it ended by itself',
  unknown: 'the agent has not looked yet, or somebody else runs a server there',
};

/** The numbers of the metric `patroni_postgres_state`, out of its own description. */
function stateNumbers(): ReadonlyMap<string, string> {
  const metric = PATRONI_METRICS.find(({ name }) => name === 'patroni_postgres_state');
  const pairs = metric?.help.matchAll(/(-?\d+)=([a-z ]+)/g) ?? [];
  return new Map([...pairs].map(([, number = '', state = '']) => [state, number]));
}

const states: MarkedTable = {
  name: 'states',
  heading: '## States',
  columns: ['State', 'Meaning', 'In metrics'],
  rows: () => {
    const numbers = stateNumbers();
    return Object.entries(STATES).map(([state, meaning]) => {
      const number = numbers.get(state);
      if (number === undefined) throw new Error(`the metric has no number for state ${state}`);
      return [code(state), meaning, number];
    });
  },
};

/** Nothing is run while commands are only listed. */
const IDLE_RUNNER = {} as Runner;

const commands: MarkedTable = {
  name: 'commands',
  heading: '## Commands',
  columns: ['Command', 'Meaning'],
  rows: () => {
    const program = new Command('pgbaton');
    for (const register of COMMANDS) register(program, IDLE_RUNNER);
    return program.commands.map((command) => [
      code(`pgbaton ${command.name()}`),
      command.description(),
    ]);
  },
};

const patronictl: MarkedTable = {
  name: 'patronictl',
  heading: '## Commands',
  columns: ['patronictl', 'Instead'],
  rows: () => PATRONICTL_ONLY.map(({ name, instead }) => [code(name), instead]),
};

const endpoints: MarkedTable = {
  name: 'endpoints',
  heading: '## Endpoints',
  columns: ['Method', 'Path', 'Meaning', 'Protected'],
  rows: () =>
    ENDPOINTS.map(({ method, paths, meaning, unsafe }) => [
      method,
      paths.map(code).join(', '),
      meaning,
      unsafe ? 'yes' : '',
    ]),
};

const AGENT_ENDS: Readonly<Record<keyof typeof AGENT_EXIT, string>> = {
  stopped: 'told to stop, and all is down',
  failed: 'could not start; the message says what to do',
  usage: 'wrong arguments',
  twin: 'another process acts under the name of this member',
};

const exitCodes: MarkedTable = {
  name: 'exit-codes',
  heading: '## Exit codes',
  columns: ['Code', 'Name', 'Meaning', 'Of `pgbaton agent`'],
  rows: () =>
    EXIT_CODES.map(({ code: number, name, meaning }) => {
      const ends = Object.entries(AGENT_EXIT).filter(([, exit]) => exit === number);
      const agent = ends.map(([end]) => AGENT_ENDS[end as keyof typeof AGENT_EXIT]);
      return [String(number), name, meaning, agent.join('; ')];
    }),
};

const isNotHonoured = (key: string): boolean =>
  notHonouredKeys().some((listed) => key === listed || key.startsWith(`${listed}.`));

const settings: MarkedTable = {
  name: 'settings',
  heading: '## Settings',
  columns: ['Setting', 'Layer', 'Unit', 'Default', 'Meaning'],
  rows: () =>
    SETTINGS_REFERENCE.map(({ key, layer, unit, default: initial, meaning }) => [
      code(key),
      layer,
      unit,
      initial === '' || initial === 'required' ? initial : code(initial),
      isNotHonoured(key) ? `${meaning} (accepted, **not honoured yet**)` : meaning,
    ]),
};

const metrics: MarkedTable = {
  name: 'metrics',
  heading: '## Metrics',
  columns: ['Metric', 'Type', 'Labels', 'Meaning'],
  rows: () =>
    [
      ...PATRONI_METRICS,
      ...OWN_GAUGES,
      ...EVENT_METRICS.map((row) => ({ ...row, name: `pgbaton_${row.name}` })),
    ].map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]),
};

export const README_TABLES: readonly MarkedTable[] = [
  rules,
  states,
  commands,
  patronictl,
  endpoints,
  exitCodes,
  settings,
  metrics,
];
