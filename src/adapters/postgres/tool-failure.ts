import { fail } from '../../core/result.ts';
import type { Failure, Result } from '../../core/result.ts';
import type { ProcessOutcome } from './subprocess.ts';
import { describeOutcome } from './subprocess.ts';

/** The last is the server's own hint, for a file that it could write only a part of. */
const DISK_FULL = /No space left on device|ENOSPC|Disk quota exceeded|Check free disk space/;

/** Why a tool did not do its work, by what the operator can do about it. */
export function toolFailed(
  what: string,
  outcome: ProcessOutcome,
  code: string,
  remedy: string,
): Result<never, Failure> {
  const message = describeOutcome(what, outcome);
  if (outcome.ended === 'aborted') return fail('postgres-job-aborted', `${what} was aborted`);
  if (DISK_FULL.test(`${outcome.stdout}${outcome.stderr}`)) return diskFull(message);
  return fail(code, message, remedy);
}

export const diskFull = (message: string): Result<never, Failure> =>
  fail(
    'postgres-disk-full',
    message,
    'Free space on the filesystem of the data directory. Directories named *.aside-* beside it hold former data and may be removed once they are not needed.',
  );

/** As `toolFailed`, for what this process itself did to files. */
export function filesFailed(what: string, message: string, code: string): Result<never, Failure> {
  return DISK_FULL.test(message)
    ? diskFull(`${what}: ${message}`)
    : fail(code, `${what}: ${message}`, 'Check the free space and the permissions.');
}
