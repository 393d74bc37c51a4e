import { promiseTtlMillis } from '../core/failsafe.ts';
import type { FailsafeList } from '../core/failsafe.ts';
import type { FoundPause, HeldLease } from '../core/lease.ts';
import type { Millis } from '../core/time.ts';
import type { HostMemory } from '../core/view.ts';
import type { ArmedLease } from '../ports/guardian.ts';

/** What the guardian is told, and an agent that is started after this one will know of the lease. */
export const armedLease = (
  held: HeldLease,
  fenceBudgetMillis: Millis,
  voters: FailsafeList,
): ArmedLease => ({
  leaseId: held.id,
  n: held.n,
  deadline: held.end,
  paused: held.paused,
  // What the process after this one may ask promises for.
  ttlMillis: promiseTtlMillis(held),
  fenceBudgetMillis,
  failsafe: Object.entries(voters).map(([name, apiUrl]) => `${name} ${apiUrl}`),
});

/** What else an agent that adopts it knows, from the guardian and from the disk of its host. */
export function pauseOf({ leaseId, paused }: ArmedLease, { paused: seen }: HostMemory): FoundPause {
  return { paused: paused === true, knownBeat: seen?.id === leaseId ? seen.beat : 0 };
}

/** The guardian keeps names with addresses, one text each: `name api_url`. */
export function listOfArmed(armed: ArmedLease): FailsafeList | undefined {
  const entries = armed.failsafe.map((entry) => entry.split(' ', 2));
  const list = entries.flatMap(([name, apiUrl]) =>
    name === undefined || apiUrl === undefined ? [] : [[name, apiUrl] as const],
  );
  return list.length === 0 ? undefined : Object.fromEntries(list);
}
