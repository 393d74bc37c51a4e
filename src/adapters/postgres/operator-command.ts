import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { CustomCommand } from '../../core/settings.ts';
import type { Millis } from '../../core/time.ts';
import type { Context } from './context.ts';
import { operatorEnvironment } from './environment.ts';
import { describeOutcome, run, succeeded } from './subprocess.ts';
import type { ProcessOutcome } from './subprocess.ts';

export interface OperatorCommand {
  /** As the operator wrote it: a shell runs it, and appends the arguments. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMillis: Millis | undefined;
  readonly signal?: AbortSignal;
  readonly onStarted?: (pid: number) => void;
}

/**
 * The only use of a shell: commands that the operator configured. Arguments are handed over as
 * such, never as text for the shell to read.
 */
export function runOperatorCommand(
  context: Context,
  request: OperatorCommand,
): Promise<ProcessOutcome> {
  const { command, args, env, ...rest } = request;
  return run(context.clock, {
    executable: '/bin/sh',
    args: ['-c', `${command} "$@"`, 'sh', ...args],
    env: operatorEnvironment(env),
    ...rest,
  });
}

/** Arguments of a custom method, as Patroni's are called. */
export function methodArguments(
  method: CustomCommand,
  offered: Readonly<Record<string, string>>,
): readonly string[] {
  const all = { ...(method.noParams ? {} : offered), ...method.parameters };
  return Object.entries(all).map(([name, value]) => `--${name}=${value}`);
}

/** Runs a callback or hook; its process group ends with it when it takes too long. */
export async function runHook(
  context: Context,
  command: string,
  args: readonly string[],
  timeoutMillis: Millis,
): Promise<Result<void>> {
  const outcome = await runOperatorCommand(context, { command, args, timeoutMillis });
  if (succeeded(outcome)) return done;
  return fail(
    'postgres-hook-failed',
    describeOutcome(`hook ${command}`, outcome),
    'Run the command by hand with the same arguments.',
  );
}
