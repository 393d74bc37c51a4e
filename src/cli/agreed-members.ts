import type { Result } from '../core/result.ts';
import { confirmOrAbort, mustBeAbleToAsk } from './confirm.ts';
import type { CommandContext } from './context.ts';
import { resolveMembers } from './lookup.ts';
import type { Selection } from './lookup.ts';
import type { MemberView } from './members.ts';
import type { CliFailure } from './outcome.ts';
import { showTopology } from './show-topology.ts';

export interface AgreedMembers {
  readonly cluster: Selection;
  readonly members: readonly MemberView[];
}

/** Those that an action is for: chosen by the words of the command line, shown, and agreed to. */
export async function agreedMembers(
  context: CommandContext,
  words: readonly string[],
  force: boolean,
  verb: string,
  choose: (cluster: Selection) => Result<readonly MemberView[], CliFailure>,
): Promise<Result<AgreedMembers, CliFailure>> {
  const selection = await resolveMembers(context, words);
  if (!selection.ok) return selection;
  const cluster = selection.value;
  const members = choose(cluster);
  if (!members.ok) return members;
  const askable = mustBeAbleToAsk(context, force);
  if (!askable.ok) return askable;
  showTopology(context, cluster);
  const names = members.value.map(({ name }) => name).join(', ');
  const question = `Are you sure you want to ${verb} members ${names}?`;
  const agreed = await confirmOrAbort(context, force, question);
  return agreed.ok ? { ok: true, value: { cluster, members: members.value } } : agreed;
}
