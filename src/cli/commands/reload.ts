import { valueOf } from '../../core/cluster.ts';
import { sendAction } from '../actions.ts';
import type { ActionResult } from '../actions.ts';
import { agreedMembers } from '../agreed-members.ts';
import type { CommandContext } from '../context.ts';
import { filterByRole } from '../lookup.ts';
import type { RoleFilter } from '../members.ts';
import type { Outcome } from '../outcome.ts';
import { concludeResults, tellResult } from '../report.ts';
import { roleOption } from '../role-option.ts';
import { examples } from '../runner.ts';
import type { Register } from '../runner.ts';

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
  const agreed = await agreedMembers(context, words, options.force === true, 'reload', (cluster) =>
    filterByRole(cluster, options.role),
  );
  if (!agreed.ok) return agreed;
  const { cluster, members } = agreed.value;
  const loopWait = valueOf(cluster.record.config)?.['loop_wait'];
  const within =
    typeof loopWait === 'number' ? ` and will be processed within ${loopWait} seconds` : '';
  const results: ActionResult[] = [];
  for (const member of members) {
    const result = await sendAction(context, member, {
      method: 'POST',
      path: '/reload',
      timeoutMillis: TIMEOUT_MILLIS,
    });
    tellResult(context, result, `Reload request received for member ${member.name}${within}`);
    results.push(result);
  }
  return concludeResults(context, cluster.scope, 'reload', results);
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
