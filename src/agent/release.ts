import type { Release } from '../core/cluster.ts';
import type { HeldLease } from '../core/lease.ts';
import type { Millis } from '../core/time.ts';
import type { StoreWrite } from '../ports/cluster-store.ts';
import { removeLeaderKey } from './leader-key.ts';
import type { LeaderKeyState } from './leader-key.ts';

/** The last write of a holder: chained like a beat, so that of a beat and a release only one can win. */
export function buildRelease(
  held: HeldLease,
  release: Release,
  incarnation: string,
  ttlMillis: Millis,
  leaderKey: LeaderKeyState,
): StoreWrite {
  const key = removeLeaderKey(leaderKey);
  return {
    guards: [
      { kind: 'index', key: 'generation', index: held.generationIndex },
      { kind: 'index', key: 'lease', index: held.leaseIndex ?? 0 },
      ...key.guards,
    ],
    changes: [
      {
        kind: 'set',
        entry: {
          key: 'lease',
          value: {
            id: held.id,
            n: held.n,
            incarnation,
            beat: held.beat + 1,
            ttlMillis,
            released: release,
          },
        },
      },
      ...key.changes,
    ],
  };
}
