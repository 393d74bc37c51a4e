import { exitCodeOf, succeeded } from './actions.ts';
import type { ActionResult } from './actions.ts';
import type { CommandContext } from './context.ts';
import { done, worst } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { formatRows } from './output.ts';

const COLUMNS = ['Cluster', 'Member', 'Outcome', 'Message', 'Details'];

/** Tells a person what became of one member: success on stdout, anything else on stderr. */
export function tellResult(context: CommandContext, result: ActionResult, success: string): void {
  if (context.format !== 'pretty') return;
  if (succeeded(result)) {
    context.terminal.out(`${success}\n`);
    return;
  }
  const { member, status, message } = result;
  const code = status === undefined ? '' : `, status ${status}`;
  context.terminal.err(`Failed: ${member}${code}: ${message}\n`);
}

/** Ends a command that asked several members: rows for programs, and the worst as exit code. */
export function concludeResults(
  context: CommandContext,
  scope: string,
  verb: string,
  results: readonly ActionResult[],
): Outcome {
  if (context.format !== 'pretty') {
    const rows = results.map(({ member, outcome, message, details }) => [
      scope,
      member,
      outcome,
      message,
      Object.keys(details).length === 0 ? '' : details,
    ]);
    context.terminal.out(formatRows(context.format, COLUMNS, rows));
  }
  const bad = results.filter((result) => !succeeded(result));
  const [first] = bad;
  if (first === undefined) return done;
  const names = bad.map(({ member }) => member).join(', ');
  const single = results.length === 1 ? `: ${first.message}` : '';
  const message = `${verb} did not succeed on ${bad.length} of ${results.length} members (${names})${single}`;
  const hint = first.hint ?? `"pgbaton explain ${first.member}" tells what that member is doing.`;
  return { ok: false, error: { exitCode: worst(bad.map(exitCodeOf)), message, hint } };
}
