import { valueOf } from '../core/cluster.ts';
import type { ClusterRecord } from '../core/cluster.ts';
import type { Change, Guard } from '../ports/cluster-store.ts';

/**
 * How the key `leader` stands towards its holder. The key is what other tools read; the lease is
 * what leadership rests on. A beat keeps it ours, and finds out when it is another's.
 */
export type LeaderKeyState =
  | { readonly kind: 'locked'; readonly session: string }
  | { readonly kind: 'absent' }
  /** Ours by name, held by an old session or by none. */
  | { readonly kind: 'named'; readonly index: number }
  | { readonly kind: 'another'; readonly member: string; readonly index: number };

export function readLeaderKey(
  record: ClusterRecord,
  self: string,
  session: string | undefined,
): LeaderKeyState {
  const key = valueOf(record.leader);
  if (key === undefined || record.leader.kind !== 'present') return { kind: 'absent' };
  if (key.member !== self)
    return { kind: 'another', member: key.member, index: record.leader.index };
  if (key.session !== undefined && key.session === session)
    return { kind: 'locked', session: key.session };
  return { kind: 'named', index: record.leader.index };
}

/** Guards and changes that keep the key ours; without a session it is a plain key, locked later. */
export function keepLeaderKey(
  state: LeaderKeyState,
  self: string,
  session: string | undefined,
): { readonly guards: readonly Guard[]; readonly changes: readonly Change[] } {
  const entry = { key: 'leader', value: self } as const;
  const claim: Change =
    session === undefined ? { kind: 'set', entry } : { kind: 'lock', entry, session };
  switch (state.kind) {
    case 'locked':
      return { guards: [{ kind: 'session', key: 'leader', session: state.session }], changes: [] };
    case 'absent':
      return { guards: [{ kind: 'index', key: 'leader', index: 0 }], changes: [claim] };
    // Another's only in a store of the past, whose holder writes the present back.
    case 'another':
    case 'named':
      return {
        guards: [{ kind: 'index', key: 'leader', index: state.index }],
        changes: session === undefined ? [claim] : [{ kind: 'delete', key: 'leader' }, claim],
      };
  }
}

/** Removes the key as long as it is the one that was last seen to be ours. */
export function removeLeaderKey(state: LeaderKeyState): {
  readonly guards: readonly Guard[];
  readonly changes: readonly Change[];
} {
  const remove: readonly Change[] = [{ kind: 'delete', key: 'leader' }];
  switch (state.kind) {
    case 'locked':
      return {
        guards: [{ kind: 'session', key: 'leader', session: state.session }],
        changes: remove,
      };
    case 'named':
      return { guards: [{ kind: 'index', key: 'leader', index: state.index }], changes: remove };
    case 'absent':
    case 'another':
      return { guards: [], changes: [] };
  }
}
