import { formatVersion } from '../core/postgres.ts';
import type { Command } from './facade.ts';

/** Which of the conditions of a restart is not met; undefined: it may begin. */
export function restartCondition(
  command: Extract<Command, { kind: 'restart' }>,
  now: string,
  versionNumber: number | undefined,
  pending: number,
): string | undefined {
  const published = now === 'primary' ? 'primary' : 'replica';
  if (command.onlyIfRole !== undefined && command.onlyIfRole !== published)
    return `role is ${published}, not ${command.onlyIfRole}`;
  if (command.onlyIfPending && pending === 0) return 'no restart is pending';
  if (command.onlyIfVersionBelow === undefined || versionNumber === undefined) return undefined;
  const [major = 0, minor = 0] = command.onlyIfVersionBelow.split('.').map(Number);
  return versionNumber >= major * 10_000 + minor
    ? `PostgreSQL is ${formatVersion(versionNumber)}, not below ${command.onlyIfVersionBelow}`
    : undefined;
}
