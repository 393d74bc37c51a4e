import { Command, CommanderError, Option } from 'commander';
import { registerAgent } from './commands/agent.ts';
import { registerDsn } from './commands/dsn.ts';
import { registerEditConfig } from './commands/edit-config.ts';
import { registerExplain } from './commands/explain.ts';
import { registerHistory } from './commands/history.ts';
import { registerList, registerTopology } from './commands/list.ts';
import { registerPause, registerResume } from './commands/pause.ts';
import { registerReinit } from './commands/reinit.ts';
import { registerReload } from './commands/reload.ts';
import { registerRestart } from './commands/restart.ts';
import { registerShowConfig } from './commands/show-config.ts';
import { registerFailover, registerSwitchover } from './commands/switchover.ts';
import { registerValidate } from './commands/validate.ts';
import { ownVersion, registerVersion } from './commands/version.ts';
import { withContext } from './context.ts';
import type { GlobalOptions } from './context.ts';
import { EXIT_CODES, exitCode } from './exit-codes.ts';
import { done } from './outcome.ts';
import type { CliFailure, Outcome } from './outcome.ts';
import { createPaint, wantsColor } from './paint.ts';
import { PATRONICTL_ONLY } from './patronictl.ts';
import { examples } from './runner.ts';
import type { Register, Runner } from './runner.ts';
import type { Terminal } from './terminal.ts';

export interface ProgramOptions {
  /** Starts the agent; resolves with its exit code when it has ended. */
  readonly runAgent: (argv: string[]) => Promise<number>;
}

/** In the order of the help and of README's table. */
export const COMMANDS: readonly Register[] = [
  registerAgent,
  registerList,
  registerTopology,
  registerExplain,
  registerSwitchover,
  registerFailover,
  registerPause,
  registerResume,
  registerHistory,
  registerDsn,
  registerShowConfig,
  registerEditConfig,
  registerRestart,
  registerReload,
  registerReinit,
  registerValidate,
  registerVersion,
];

function tellFailure(terminal: Terminal, failure: CliFailure, noColor: boolean): void {
  const paint = createPaint(wantsColor(terminal.isTty.stderr, noColor, terminal.env));
  terminal.err(`${paint.red('Error:')} ${failure.message}\n`);
  terminal.err(`${paint.bold('Hint:')} ${failure.hint}\n`);
}

/** commander's complaint in our form: its own suggestion becomes the hint. */
function usageFailure(error: CommanderError, command: string): CliFailure {
  const text = error.message.replace(/^error: /, '');
  const [message = '', ...rest] = text.split('\n');
  const isUnknown = error.code === 'commander.unknownCommand';
  const word = /^unknown command '(.*)'$/.exec(message)?.[1];
  const elsewhere = PATRONICTL_ONLY.find(({ name }) => isUnknown && name === word);
  if (elsewhere !== undefined) {
    const { name, hint } = elsewhere;
    return { exitCode: exitCode('usage'), message: `There is no command "${name}" here.`, hint };
  }
  const [, oneOf, meant] = /\(Did you mean (one of )?(.*)\?\)/.exec(rest.join(' ')) ?? [];
  // A word that is no command leaves none whose help could help, whatever comes after it.
  const help = `See "${isUnknown ? 'pgbaton' : command} --help".`;
  const shown = oneOf === undefined ? `"${meant}"` : `one of ${meant}`;
  const hint = meant === undefined ? help : `Did you mean ${shown}? ${help}`;
  return { exitCode: exitCode('usage'), message, hint };
}

const exitCodesHelp = (): string =>
  ['', 'Exit codes:', ...EXIT_CODES.map(({ code, meaning }) => `  ${code}  ${meaning}`)].join('\n');

function createProgram(terminal: Terminal): Command {
  return new Command('pgbaton')
    .description('Automatic failover for PostgreSQL: the agent, and the commands for its clusters')
    .version(`pgbaton version ${ownVersion()}`, '--version', 'print the version of this program')
    .option('-c, --config-file <path>', 'configuration of an agent, or a patronictl.yaml')
    .option('-d, --dcs-url <url>', 'consul://host:port/namespace, instead of the configuration')
    .addOption(new Option('--dcs <url>', 'the same, as patronictl has it').hideHelp())
    .option('-k, --insecure', 'do not verify the certificates of members')
    .option('-f, --format <format>', 'pretty, tsv, json or yaml')
    .option('--no-color', 'no colours (as NO_COLOR=1 does)')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      outputError: () => undefined,
      getOutHelpWidth: () => terminal.size()?.columns ?? 100,
      getErrHelpWidth: () => terminal.size()?.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      'after',
      examples(
        'pgbaton list',
        'pgbaton -c /etc/pgbaton/pgbaton.yml switchover --candidate node2',
        'pgbaton -d consul://10.0.0.1:8500/service list batman --format json',
      ),
    )
    .addHelpText('after', exitCodesHelp());
}

/**
 * Runs one command line (without node and script) and answers with the exit code. All input and
 * output goes through `terminal`; nothing ends the process.
 */
export async function runCli(
  argv: readonly string[],
  terminal: Terminal,
  options: ProgramOptions,
): Promise<number> {
  let outcome: Outcome = done;
  let agentCode: number | undefined;
  const program = createProgram(terminal);
  const globals = (command: Command): GlobalOptions => {
    const { dcs, ...rest } = command.optsWithGlobals<GlobalOptions & { readonly dcs?: string }>();
    return dcs === undefined ? rest : { dcsUrl: dcs, ...rest };
  };
  const runner: Runner = {
    terminal,
    async withContext(command, body) {
      outcome = await withContext(terminal, globals(command), body);
    },
    async plain(command, body) {
      outcome = await body(globals(command));
    },
    async runAgent(args) {
      agentCode = await options.runAgent(args);
    },
  };
  for (const register of COMMANDS) register(program, runner);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for is no error; help instead of a command is.
    if (error.exitCode === 0) return finish(terminal, 0);
    if (error.code === 'commander.help') return finish(terminal, exitCode('usage'));
    outcome = { ok: false, error: usageFailure(error, commandLine(program, argv)) };
  }
  if (outcome.ok) return finish(terminal, agentCode ?? 0);
  tellFailure(terminal, outcome.error, program.opts<GlobalOptions>().color === false);
  return finish(terminal, outcome.error.exitCode);
}

/** `pgbaton list` when the command is known, for the hint to its help. */
function commandLine(program: Command, argv: readonly string[]): string {
  const known = program.commands.find((command) => argv.includes(command.name()));
  return known === undefined ? 'pgbaton' : `pgbaton ${known.name()}`;
}

async function finish(terminal: Terminal, code: number): Promise<number> {
  await terminal.flush();
  return code;
}
