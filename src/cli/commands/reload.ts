import { valueOf } from '../../core/cluster.ts';
import { sendAction } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import { confirmOrAbort, mustBeAbleToAsk } from '../confirm.ts';
import type { CommandContext } from '../context.ts';
import { filterByRole, resolveMembers } from '../lookup.ts';
import type { RoleFilter } from '../members.ts';
import type { Outcome } from '../outcome.ts';
import { concludeResults, tellResult } from '../report.ts';
import { roleOption } from '../role-option.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';
import { showTopology } from '../show-topology.ts';

const TIMEOUT_MILLIS = 10_000;

interface ReloadOptions {
  readonly role: RoleFilter;
  readonly force?: boolean;
}

async function reload(
  context: CommandContext,
  words: readonly string[],
  options: ReloadOptions,
): Promise<Outcome> {
  const force = options.force === true;
  const selection = await resolveMembers(context, words);
  if (!selection.ok) return selection;
  const members = filterByRole(selection.value, options.role);
  if (!members.ok) return members;
  const askable = mustBeAbleToAsk(context, force);
  if (!askable.ok) return askable;
  showTopology(context, selection.value);
  const names = members.value.map(({ name }) => name).join(', ');
  const agreed = await confirmOrAbort(
    context,
    force,
    `Are you sure you want to reload members ${names}?`,
  );
  if (!agreed.ok) return agreed;
  const loopWait = valueOf(selection.value.record.config)?.['loop_wait'];
  const within =
    typeof loopWait === 'number' ? ` and will be processed within ${loopWait} seconds` : '';
  const results: ActionResult[] = [];
  for (const member of members.value) {
    const result = await sendAction(context, member, {
      method: 'POST',
      path: '/reload',
      timeoutMillis: TIMEOUT_MILLIS,
    });
    tellResult(context, result, `Reload request received for member ${member.name}${within}`);
    results.push(result);
  }
  return concludeResults(context, selection.value.scope, 'reload', results);
}

export const registerReload: Register = (program, runner) => {
  const command = program
    .command('reload')
    .description('read the configuration files of members again')
    .argument('[names...]', 'cluster (if the configuration has no scope), then members; none: all')
    .addOption(roleOption())
    .option('--force', 'do not ask')
    .addHelpText('after', examples('pgbaton reload batman', 'pgbaton reload batman node1 --force'))
    .action((words: readonly string[], options: ReloadOptions) =>
      runner.withContext(command, (context) => reload(context, words, options)),
    );
};
