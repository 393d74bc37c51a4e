import { existsSync } from 'node:fs';
import { formatOrigin, formatProblem } from '../../config/problem.ts';
import type { ConfigProblem } from '../../config/problem.ts';
import type { ValidationReport } from '../../config/validate.ts';
import { chosenFormat } from '../context.ts';
import type { GlobalOptions } from '../context.ts';
import { exitCode } from '../exit-codes.ts';
import { done } from '../outcome.ts';
import type { Outcome } from '../outcome.ts';
import { formatRows } from '../output.ts';
import { createPaint, wantsColor } from '../paint.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';
import { agentConfigPath } from '../config-path.ts';
import type { Terminal } from '../terminal.ts';

interface ValidateOptions {
  /** False with --no-network. */
  readonly network: boolean;
}

const COLUMNS = ['Severity', 'Code', 'Place', 'Key', 'Message', 'Suggestion'];

const errorRow = (problem: ConfigProblem): readonly string[] => [
  'error',
  problem.code,
  problem.origin === undefined ? '' : formatOrigin(problem.origin),
  problem.key,
  problem.message,
  problem.suggestion ?? '',
];

function programRows(report: ValidationReport): readonly (readonly string[])[] {
  return [
    ...report.errors.map(errorRow),
    ...report.warnings.map((text) => ['warning', '', '', '', text, '']),
    ...report.notHonoured.map((key) => ['not-honoured', '', '', key, NOT_HONOURED, '']),
  ];
}

const NOT_HONOURED = 'accepted, but nothing acts on it yet';

function showPeople(report: ValidationReport, terminal: Terminal, options: GlobalOptions): void {
  const noColor = options.color === false;
  const paint = createPaint(wantsColor(terminal.isTty.stdout, noColor, terminal.env));
  const lines = [
    ...report.files.map((file) => `${paint.dim('read')}     ${file}`),
    ...report.errors.map((problem) => `${paint.red('error')}    ${formatProblem(problem)}`),
    ...report.warnings.map((text) => `${paint.yellow('warning')}  ${text}`),
    ...report.notHonoured.map((key) => `${paint.yellow('not yet')}  ${key}: ${NOT_HONOURED}`),
    ...(report.valid ? [paint.green('The configuration is valid.')] : []),
  ];
  terminal.out(lines.map((line) => `${line}\n`).join(''));
}

async function validate(
  terminal: Terminal,
  named: string | undefined,
  globals: GlobalOptions,
  { network }: ValidateOptions,
): Promise<Outcome> {
  const format = chosenFormat(globals);
  if (!format.ok) return format;
  const path = named ?? agentConfigPath(globals, terminal.env);
  const { validateConfig } = await import('../../config/validate.ts');
  const report = await validateConfig({ path, environment: terminal.env, network });
  if (format.value === 'pretty') showPeople(report, terminal, globals);
  else terminal.out(formatRows(format.value, COLUMNS, programRows(report)));
  if (report.valid) return done;
  const missing = path !== undefined && !existsSync(path);
  const count = report.errors.length;
  return {
    ok: false,
    error: {
      exitCode: exitCode(missing ? 'usage' : 'refused'),
      message: `The configuration has ${count} ${count === 1 ? 'error' : 'errors'}.`,
      hint: 'Correct what is named above; each line ends with a suggestion where there is one.',
    },
  };
}

export const registerValidate: Register = (program, runner) => {
  const command = program
    .command('validate')
    .description('check the configuration of an agent without starting anything')
    .argument(
      '[config]',
      'YAML file or directory of such; default: --config-file, then the environment',
    )
    .option('--no-network', 'do not try the ports: for when the agent is running')
    .addHelpText(
      'after',
      examples(
        'pgbaton validate /etc/pgbaton/pgbaton.yml',
        'pgbaton validate pgbaton.yml --no-network --format json',
      ),
    )
    .action((named: string | undefined, options: ValidateOptions) =>
      runner.plain(command, (globals) => validate(runner.terminal, named, globals, options)),
    );
};
