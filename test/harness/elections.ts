import { ABSENT } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import { waitMillis } from '../../src/core/lease.ts';
import { lsn } from '../../src/core/lsn.ts';
import type { Lsn } from '../../src/core/lsn.ts';
import type { View } from '../../src/core/view.ts';
import { TTL_MILLIS } from './settings.ts';
import {
  aMember,
  aRecord,
  asked,
  aView,
  END,
  opinion,
  seen,
  SELF,
  SILENCE_MILLIS,
} from './views.ts';

/** How long a follower must see the record of these tests unchanged. */
export const WAIT_MILLIS = waitMillis(TTL_MILLIS);

/** Where the last record of a server begins that was shut down; the log ends behind it. */
export const LAST_RECORD: Lsn = lsn(END - 0x78n);

export const everyone = asked(opinion('pg1'), opinion('pg3'));

/** The leader is gone with its session: neither its key nor key leader is there any more. */
export const silentFor = (millis: number, given: Partial<ClusterRecord> = {}): Partial<View> =>
  seen(aRecord({ leader: ABSENT, members: [aMember(SELF), aMember('pg3')], ...given }), millis);

/** The leader has been silent for long, and all others have been asked since. */
export const orphaned = (
  given: Partial<ClusterRecord> = {},
  ...parts: readonly Partial<View>[]
): View => aView(silentFor(SILENCE_MILLIS, given), everyone, ...parts);

export const takeover = (basis: string, n = 6) => [{ kind: 'takeover', n, basis } as const];
