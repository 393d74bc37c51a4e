import type { Result } from '../core/result.ts';
import type { CommandContext } from './context.ts';
import { failed } from './outcome.ts';
import type { CliFailure, Outcome } from './outcome.ts';

/** Without --force there must be somebody to ask. */
export function mustBeAbleToAsk(context: CommandContext, force: boolean): Outcome {
  if (force || context.prompter.interactive) return { ok: true, value: undefined };
  return failed(
    'usage',
    'This asks for confirmation, and standard input is no terminal.',
    'Give --force, with everything that would be asked as options.',
  );
}

/** Asks unless forced; "no" ends the command as aborted. */
export async function confirmOrAbort(
  context: CommandContext,
  force: boolean,
  question: string,
): Promise<Result<void, CliFailure>> {
  if (force) return { ok: true, value: undefined };
  const answer = await context.prompter.confirm(question);
  if (!answer.ok) return answer;
  if (answer.value) return { ok: true, value: undefined };
  return failed('aborted', 'Aborted.', 'Nothing was changed.');
}
