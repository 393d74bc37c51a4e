import { sendAction } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import { agreedMembers } from '../agreed-members.ts';
import type { CommandContext } from '../context.ts';
import { filterByRole } from '../lookup.ts';
import type { Selection } from '../lookup.ts';
import type { MemberView, RoleFilter } from '../members.ts';
import { failed } from '../outcome.ts';
import type { CliFailure, Outcome } from '../outcome.ts';
import type { Result } from '../../core/result.ts';
import { concludeResults, tellResult } from '../report.ts';
import { roleOption } from '../role-option.ts';
import { examples, secondsOption } from '../runner.ts';
import type { Register } from '../runner.ts';

/** A restart without --timeout may wait for clients and a long recovery. */
const DEFAULT_WAIT_SECONDS = 300;
/** The member answers after its own timeout, not at it. */
const ANSWER_SECONDS = 15;

interface RestartOptions {
  readonly role: RoleFilter;
  readonly any?: boolean;
  readonly scheduled?: string;
  readonly pgVersion?: string;
  readonly pending?: boolean;
  readonly timeout?: number;
  readonly force?: boolean;
}

function chooseMembers(
  selection: Selection,
  options: RestartOptions,
): Result<readonly MemberView[], CliFailure> {
  const members = filterByRole(selection, options.role);
  if (!members.ok) return members;
  let chosen = members.value;
  if (options.pending === true) {
    chosen = chosen.filter((member) => member.pendingRestart);
    if (chosen.length === 0) {
      return failed(
        'refused',
        'No restart is pending on these members.',
        'Leave out --pending to restart them all the same.',
      );
    }
  }
  if (options.any === true) {
    const picked = chosen[Math.floor(Math.random() * chosen.length)];
    chosen = picked === undefined ? [] : [picked];
  }
  return { ok: true, value: chosen };
}

function bodyOf(options: RestartOptions): Record<string, unknown> {
  const scheduled = options.scheduled === 'now' ? undefined : options.scheduled;
  return {
    ...(options.pending === true ? { restart_pending: true } : {}),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.pgVersion === undefined ? {} : { postgres_version: options.pgVersion }),
    ...(scheduled === undefined ? {} : { schedule: scheduled }),
  };
}

async function restart(
  context: CommandContext,
  words: readonly string[],
  options: RestartOptions,
): Promise<Outcome> {
  const agreed = await agreedMembers(context, words, options.force === true, 'restart', (cluster) =>
    chooseMembers(cluster, options),
  );
  if (!agreed.ok) return agreed;
  const { cluster, members } = agreed.value;
  const results: ActionResult[] = [];
  // One after another: a cluster whose members all restart at once is down.
  for (const member of members) {
    if (context.format === 'pretty') context.terminal.err(`Restarting ${member.name} …\n`);
    const result = await sendAction(context, member, {
      method: 'POST',
      path: '/restart',
      body: bodyOf(options),
      timeoutMillis: ((options.timeout ?? DEFAULT_WAIT_SECONDS) + ANSWER_SECONDS) * 1000,
    });
    const what = result.outcome === 'accepted' ? result.message : 'restart';
    tellResult(context, result, `Success: ${what} on member ${member.name}`);
    results.push(result);
    // Whoever interrupts wants the rest left alone.
    if (result.outcome === 'unknown') break;
  }
  return concludeResults(context, cluster.scope, 'restart', results);
}

export const registerRestart: Register = (program, runner) => {
  const command = program
    .command('restart')
    .description('restart PostgreSQL of members, one after another')
    .argument('[names...]', 'cluster (if the configuration has no scope), then members; none: all')
    .addOption(roleOption())
    .option('--any', 'one of them, taken at random')
    .option('--pending', 'only where a restart is pending')
    .option('--timeout <seconds>', 'how long a restart may take', secondsOption(0.001))
    .option('--pg-version <version>', 'only where PostgreSQL is older than this')
    .option(
      '--scheduled <time>',
      'not now but at this time, with its zone: only for agents of Patroni',
    )
    .option('--force', 'do not ask')
    .addHelpText(
      'after',
      examples(
        'pgbaton restart batman --pending',
        'pgbaton restart batman node2 --timeout 60',
        'pgbaton restart batman --role replica --force',
      ),
    )
    .action((words: readonly string[], options: RestartOptions) =>
      runner.withContext(command, (context) => restart(context, words, options)),
    );
};
