import type { Result } from '../core/result.ts';
import { exitCode } from './exit-codes.ts';
import type { ExitCode, ExitName } from './exit-codes.ts';

/** A failure as a person meets it: what happened, what to do now, and what the shell is told. */
export interface CliFailure {
  readonly exitCode: ExitCode;
  readonly message: string;
  readonly hint: string;
}

/** A command ends with an exit code that is 0, or with a failure. */
export type Outcome = Result<void, CliFailure>;

export const done: Outcome = { ok: true, value: undefined };

export const failed = (
  name: Exclude<ExitName, 'done'>,
  message: string,
  hint: string,
): { readonly ok: false; readonly error: CliFailure } => ({
  ok: false,
  error: { exitCode: exitCode(name), message, hint },
});

/** The worst of several outcomes: not known is worse than refused, which is worse than unreachable. */
const SEVERITY: readonly ExitCode[] = [0, 4, 2, 3, 1, 5];

export function worst(codes: readonly ExitCode[]): ExitCode {
  let result: ExitCode = 0;
  for (const code of codes) {
    if (SEVERITY.indexOf(code) > SEVERITY.indexOf(result)) result = code;
  }
  return result;
}
